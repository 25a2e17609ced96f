// A stand-in for `cli/process.ts`: speaks its protocol with the supervisor and nothing else. `FAKE_APP` makes it misbehave.
import { createServer } from 'node:http'
import { readTemporalPlace, TEMPORAL_ON_STDIN } from '../../cli/temporal-place.ts'

const end = (why: string) => {
  console.log(`draining ${why}`)
  setTimeout(() => process.exit(0), 100)
}
process.on('SIGTERM', () => end('SIGTERM'))
process.stdin.on('end', () => end('supervisor gone'))
const temporal =
  process.argv[3] === TEMPORAL_ON_STDIN ? (await readTemporalPlace(process.stdin)).address : 'from the settings'
process.stdin.resume()

if (process.env['FAKE_APP'] === 'broken') process.exit(3)
if (process.env['FAKE_APP'] === 'failed') {
  console.log(`failed ${JSON.stringify('Cannot do this: that is missing')}`)
  process.exit(1)
}
const port = Number(process.env['MUXI_PORT'])
const server = createServer((_, response) => {
  response.end(JSON.stringify({ pid: process.pid, role: process.argv[2], temporal }))
})
if (process.argv[2] === 'worker') {
  console.log('ready {}')
} else {
  server.listen(port, '127.0.0.1', () =>
    console.log(`ready {"url":"http://127.0.0.1:${port}","key":"key-of-the-test"}`),
  )
}

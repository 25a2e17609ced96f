import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const setup = fileURLToPath(new URL('../../cli/setup.mjs', import.meta.url))

it('runs a script on the Node of the locked dependencies, with its arguments, and ends as it ended', () => {
  const script = 'console.log(process.version, ...process.argv.slice(1)); process.exit(7)'
  const { stdout, status } = spawnSync(process.execPath, [setup, 'node', '-e', script, 'one', 'two words'], {
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/^v24\.\S+ one two words\n$/)
  expect(status).toBe(7)
})

it('passes signals on to the script', async () => {
  const script = `process.on('SIGTERM', () => { console.log('told'); process.exit(5) }); console.log('up'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, [setup, 'node', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  expect(String((await once(child.stdout, 'data'))[0])).toContain('told')
  expect((await once(child, 'exit'))[0]).toBe(5)
})

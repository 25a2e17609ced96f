// A process with one Elysia route that returns what it was given, behind node:http as muxi is: `bare-route.ts <path> <json>`.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Elysia } from 'elysia'
import { toNodeHandler } from 'srvx/node'

const [path = '/', json = '{}'] = process.argv.slice(2)
const value = JSON.parse(json) as object
const app = new Elysia().get(path, () => value)
const server = createServer(toNodeHandler((request) => app.fetch(request)) as RequestListener)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`ready ${JSON.stringify({ url: `http://127.0.0.1:${port}` })}`)
})
process.on('SIGTERM', () => process.exit(0))

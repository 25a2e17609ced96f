// The server over Streamable HTTP, and the requests that it refuses.
import { request } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../src/config.ts'
import { openHttp, readHttpOptions } from '../src/http.ts'
import { createServer } from '../src/server.ts'
import { tools } from '../src/tools/index.ts'
import { environment } from './environment.ts'

async function open(token?: string): Promise<string> {
  const config = readConfig(environment)
  const http = await openHttp(() => createServer(config), { host: '127.0.0.1', port: 0, token })
  onTestFinished(() => http.close())
  return http.url
}

async function connect(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
  onTestFinished(() => client.close())
  return client
}

function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', headers }, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end('{}')
  })
}

it('serves several clients at once', async () => {
  const url = await open()
  for (const client of [await connect(url), await connect(url)])
    expect((await client.listTools()).tools).toHaveLength(tools.length)
})

it('asks for its token', async () => {
  const url = await open('a token')
  await expect(connect(url)).rejects.toThrow('Authorization')
  const client = await connect(url, { authorization: 'Bearer a token' })
  expect((await client.listTools()).tools).toHaveLength(tools.length)
})

it.each([
  ['host', 'evil.example'],
  ['origin', 'https://evil.example'],
])('refuses the %s %s', async (name, value) => {
  expect(await statusOf(await open(), { [name]: value })).toBe(403)
})

it('listens to other machines with a token only', () => {
  expect(() => readHttpOptions({ HOST: '0.0.0.0' })).toThrow("'MCP_TOKEN' must be set")
  expect(readHttpOptions({ HOST: '0.0.0.0', MCP_TOKEN: 'x' })).toMatchObject({ host: '0.0.0.0', port: 3000 })
  expect(() => readHttpOptions({ PORT: 'x' })).toThrow("'PORT' must be a number")
})

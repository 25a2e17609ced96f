// The server and its tools, without a separate process.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CREDENTIALS, readConfig } from '../src/config.ts'
import { createServer, NAME } from '../src/server.ts'
import { tools } from '../src/tools/index.ts'
import { environment } from './environment.ts'

async function connect(): Promise<Client> {
  const server = createServer(readConfig(environment))
  const client = new Client({ name: 'test', version: '1' })
  const [ours, theirs] = InMemoryTransport.createLinkedPair()
  await server.connect(theirs)
  await client.connect(ours)
  onTestFinished(() => client.close())
  return client
}

it('introduces itself and lists every tool with a description', async () => {
  const client = await connect()
  expect(client.getServerVersion()?.name).toBe(NAME)
  const listed = (await client.listTools()).tools
  expect(listed.map(({ name }) => name)).toEqual(tools.map(({ name }) => name))
  for (const { description } of listed) expect(description).not.toBe('')
})

describe.each(tools)('$name', ({ name, sample }) => {
  it('answers', async () => {
    const result = await (await connect()).callTool({ name, arguments: sample })
    expect(result.isError ?? false, JSON.stringify(result.content)).toBe(false)
    expect(result.content).not.toEqual([])
  })

  it.each(Object.keys(sample))('refuses a wrong %s', async (argument) => {
    const wrong = { ...sample, [argument]: { unfit: true } }
    expect((await (await connect()).callTool({ name, arguments: wrong })).isError).toBe(true)
  })
})

it.each(CREDENTIALS)('does not start without %s', (name) => {
  const { [name]: _, ...rest } = environment
  expect(() => readConfig(rest)).toThrow(`'${name}' must be set`)
})

// The server as a process that a client starts.
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { expect, it, onTestFinished } from 'vitest'
import { tools } from '../src/tools/index.ts'
import { environment } from './environment.ts'

it('serves on standard input and output', async () => {
  const client = new Client({ name: 'test', version: '1' })
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main], env: environment }))
  onTestFinished(() => client.close())
  expect((await client.listTools()).tools).toHaveLength(tools.length)
})

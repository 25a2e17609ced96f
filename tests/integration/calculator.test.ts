// The calculator as an MCP server, asked by the SDK's client over standard input and output and over HTTP, on both runtimes.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, describe, expect, it } from 'vitest'
import { ROOT, type Runtime, startChild } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'

const SCRIPT = 'mcp/servers/calculator.ts'
const PROGRAMS: Record<Runtime, [string, string[]]> = {
  node: [`${ROOT}node_modules/node/bin/node`, []],
  deno: [`${ROOT}cli/deno/node_modules/deno/deno`, ['run', '-A', '--node-modules-dir=manual']],
}
const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

async function overStdio(runtime: Runtime): Promise<Client> {
  const [command, flags] = PROGRAMS[runtime]
  const client = new Client({ name: 'test', version: '1' })
  endings.push(() => client.close())
  await client.connect(new StdioClientTransport({ command, args: [...flags, `${ROOT}${SCRIPT}`] }))
  return client
}

async function listen(runtime: Runtime) {
  const args = ['--http', '--port', '0']
  const child = startChild({ script: SCRIPT, args, env: {}, cwd: tempDir(), runtime })
  endings.push(() => child.kill())
  const [, url = ''] = await child.says(/listens on (\S+)\n/)
  return { child, url }
}

async function overHttp(url: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  endings.push(() => client.close())
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return client
}

const calculate = (client: Client, expression: string) =>
  client.callTool({ name: 'calculate', arguments: { expression } })

for (const runtime of ['node', 'deno'] as const) {
  describe(`on ${runtime}`, () => {
    it('answers over standard input and output, with the annotations of the tools', async () => {
      const client = await overStdio(runtime)
      const { tools } = await client.listTools()
      expect(tools.map(({ name }) => name)).toEqual(['calculate', 'convert'])
      for (const { annotations } of tools)
        expect(annotations).toMatchObject({ readOnlyHint: true, idempotentHint: true })
      expect(await calculate(client, '0.1 + 0.2')).toMatchObject({
        structuredContent: { result: '0.3' },
        content: [{ type: 'text', text: '0.3' }],
      })
      expect(await calculate(client, '2 + * 3')).toMatchObject({
        isError: true,
        content: [{ type: 'text', text: expect.stringContaining('at character 5') }],
      })
    })

    it('terminates endless or memory-consuming expressions, and continues', async () => {
      const client = await overStdio(runtime)
      for (const expression of ['1:1e9', 'ones(30000, 30000)', 'bigint(9)^bigint(99999999)']) {
        const { isError, content } = await calculate(client, expression)
        expect([isError, content]).toEqual([
          true,
          [{ type: 'text', text: expect.stringMatching(/^Cannot calculate: it (takes longer|needs more) than/) }],
        ])
      }
      expect(await calculate(client, '1 + 1')).toMatchObject({ structuredContent: { result: '2' } })
    })

    it('gives each client over HTTP its own session, and drains on SIGTERM', async () => {
      const { child, url } = await listen(runtime)
      const clients = [await overHttp(url), await overHttp(url)]
      const answers = await Promise.all(clients.map((client) => calculate(client, '2^10')))
      for (const answer of answers) expect(answer).toMatchObject({ structuredContent: { result: '1024' } })
      expect(await child.stop()).toBe(0)
    })

    it('refuses cross-origin requests', async () => {
      const { url } = await listen(runtime)
      const post = (headers: Record<string, string>) => fetch(url, { method: 'POST', headers, body: '{}' })
      expect((await post({ origin: 'https://evil.test' })).status).toBe(403)
      expect((await post({ origin: 'null' })).status).toBe(403)
      expect((await post({ 'mcp-session-id': 'unknown' })).status).toBe(404)
    })

    it('ends when its standard input does', async () => {
      const child = startChild({ script: SCRIPT, env: {}, cwd: tempDir(), runtime })
      endings.push(() => child.kill())
      const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
      const messages = [
        { jsonrpc: '2.0', id: 1, method: 'initialize', params: hello },
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        {
          jsonrpc: '2.0',
          id: 2,
          method: 'tools/call',
          params: { name: 'calculate', arguments: { expression: '6*7' } },
        },
      ]
      child.child.stdin?.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(''))
      expect(await child.ended).toBe(0)
      expect(child.stdout()).toContain('"result":"42"')
    })
  })
}

// The MCP servers that come with muxi, started as muxi starts them: what they may read, and that they work with that.
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { BuiltinName } from '../../contracts/builtin-servers.ts'
import { builtinCommand } from '../../mcp/builtin-command.ts'
import { ROOT, type Runtime } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'

const PROGRAMS: Record<Runtime, string> = {
  node: `${ROOT}node_modules/node/bin/node`,
  deno: `${ROOT}cli/deno/node_modules/deno/deno`,
}

const DENIED = /^(ERR_ACCESS_DENIED|EACCES|NotCapable)$/

async function connect(runtime: Runtime, name: BuiltinName, env: Record<string, string> = {}): Promise<Client> {
  const [, args] = builtinCommand(name, runtime === 'deno')
  const client = new Client({ name: 'test', version: '1' })
  onTestFinished(() => client.close())
  await client.connect(new StdioClientTransport({ command: PROGRAMS[runtime], args, env }))
  return client
}

/** Runs code with the permissions of a server. @returns what it printed, or the code of its error */
async function runAs(runtime: Runtime, name: BuiltinName, code: string): Promise<string> {
  const script = `try { ${code}; console.log('allowed') } catch (error) { console.log(error.code ?? error.name) }`
  const [, args] = builtinCommand(name, runtime === 'deno')
  const flags = args.slice(0, -1)
  const run = promisify(execFile)(PROGRAMS[runtime], [...flags, ...(runtime === 'deno' ? ['-'] : ['-e', script])])
  run.child.stdin?.end(
    runtime === 'deno'
      ? `import { createRequire } from 'node:module'; const require = createRequire('file:///'); ${script}`
      : '',
  )
  return (await run).stdout.trim()
}

for (const runtime of ['node', 'deno'] as const) {
  describe(`on ${runtime}`, () => {
    it.each(['calculator', 'search'] as const)('%s may read its sources and packages, nothing else', async (name) => {
      const secret = join(tempDir(), 'secret')
      writeFileSync(secret, 'secret')
      const read = (path: string) => runAs(runtime, name, `require('node:fs').readFileSync(${JSON.stringify(path)})`)
      expect(await read(`${ROOT}mcp/servers/calculator.ts`)).toBe('allowed')
      expect(await read(`${ROOT}node_modules/zod/package.json`)).toBe('allowed')
      for (const path of [secret, `${ROOT}package.json`, `${ROOT}cli/process.ts`, '/etc/passwd', '/proc/self/environ'])
        expect(await read(path)).toMatch(DENIED)
    })

    it.each(['calculator', 'search'] as const)('%s may neither write nor start a program', async (name) => {
      const path = join(tempDir(), 'written')
      const [write, touch] = [`writeFileSync('${path}', '')`, `execFileSync('touch', ['${path}'])`]
      expect(await runAs(runtime, name, `require('node:fs').${write}`)).toMatch(DENIED)
      expect(await runAs(runtime, name, `require('node:child_process').${touch}`)).not.toBe('allowed')
      expect(existsSync(path)).toBe(false)
    })

    it('the calculator calculates, and gives up what takes too much memory', async () => {
      const client = await connect(runtime, 'calculator')
      const calculate = (expression: string) => client.callTool({ name: 'calculate', arguments: { expression } })
      expect(await calculate('ones(30000, 30000)')).toMatchObject({ isError: true })
      expect(await calculate('72 kg * 9.81 m/s^2 to N')).toMatchObject({ structuredContent: { result: '706.32 N' } })
    })

    it('the search server reads a page, and nothing private when it is guarded', async () => {
      const server = createServer((_, response) => {
        response.writeHead(200, { 'content-type': 'text/html; charset=windows-1252' })
        response.end('<title>Pumps</title><h1>Pumps</h1><p>All about pumps.</p>')
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close())
      const url = `http://localhost:${(server.address() as AddressInfo).port}/`
      const env = { MUXI_ALLOW_PRIVATE_URLS: 'yes', SEARXNG_BASE_URL: url }
      const client = await connect(runtime, 'search', env)
      expect(await client.callTool({ name: 'read_page', arguments: { url } })).toMatchObject({
        structuredContent: { title: 'Pumps', text: expect.stringContaining('All about pumps.') },
      })
      const guarded = await connect(runtime, 'search', { ...env, MUXI_GUARDED: 'yes' })
      for (const call of [
        { name: 'read_page', arguments: { url } },
        { name: 'web_search', arguments: { query: 'pumps' } },
      ]) {
        const { isError, content } = await guarded.callTool(call)
        expect([isError, content]).toEqual([
          true,
          [{ type: 'text', text: expect.stringMatching(/got a loopback address|may not be reached/) }],
        ])
      }
    })
  })
}

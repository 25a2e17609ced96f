// The package @muxi/client as a stranger gets it: built, packed, and installed in a project outside of the repository.
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { buildClient } from '../../publish/client.ts'
import { ROOT } from './children.ts'

const run = promisify(execFile)

/** The Node that runs npm, not the one of the tests. */
const NPM_NODE = execFileSync('npm', ['exec', '--no', '--', 'node', '-p', 'process.execPath'], {
  cwd: '/',
  encoding: 'utf8',
}).trim()

export const RUNTIMES = {
  'Node 24': [process.execPath],
  'the Node that runs npm': [NPM_NODE],
  Deno: [join(ROOT, 'cli/deno/node_modules/deno/deno'), 'run', '-A'],
} as const

export interface Installed {
  /** What `npm pack` made. */
  tarball: string
  /** An empty project with the package in its node_modules. */
  project: string
  /** The package in it. */
  folder: string
}

/** Builds the package, packs it, and installs it in an empty project. */
export async function installClient(folder: string): Promise<Installed> {
  const built = join(folder, 'built')
  const project = join(folder, 'project')
  await buildClient(built)
  const { stdout } = await run('npm', ['pack', built, '--silent'], { cwd: folder })
  const tarball = join(folder, stdout.trim())
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }))
  await run('npm', ['install', tarball, '--offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: project })
  return { tarball, project, folder: join(project, 'node_modules/@muxi/client') }
}

/** Runs a program of the project. @returns what it wrote */
export async function runIn(project: string, runtime: keyof typeof RUNTIMES, ...args: string[]): Promise<string> {
  const [program, ...flags] = RUNTIMES[runtime]
  const { stdout } = await run(program, [...flags, ...args], { cwd: project, timeout: 30_000 })
  return stdout
}

/** A page that makes a client and nothing else. */
export const CORE_PAGE = `import { muxi } from '@muxi/client'\nglobalThis.muxi = muxi\n`
/** What is loaded with the first message of a socket. */
export const SOCKET_CHUNKS = /socket/

/** The settings of a user's project, whose program is `main.ts`. */
export const TYPED_PROJECT = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.asynciterable'],
    module: 'nodenext',
    types: [],
    strict: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  },
  files: ['main.ts'],
}

/**
 * What a page loads for a program, minified and compressed together.
 * @param late names of chunks that are loaded later and count too
 */
export async function sizeOf(project: string, program: string, late = /^$/): Promise<number> {
  const entry = join(project, 'page.js')
  writeFileSync(entry, program)
  const built = await build({
    configFile: false,
    root: project,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2022',
      // As a library: a page of vite has code of vite's too.
      lib: { entry, formats: ['es'] },
      rolldownOptions: { output: { minify: true, chunkFileNames: '[name]' } },
    },
  })
  const outputs = [built].flat().flatMap((each) => ('output' in each ? each.output : []))
  const chunks = new Map(outputs.flatMap((each) => (each.type === 'chunk' ? [[each.fileName, each] as const] : [])))
  const loaded = new Set<string>()
  const load = (name: string): void => {
    if (loaded.has(name)) return
    loaded.add(name)
    chunks.get(name)?.imports.forEach(load)
  }
  for (const [name, { isEntry }] of chunks) if (isEntry || late.test(name)) load(name)
  const code = [...loaded].map((name) => chunks.get(name)?.code ?? '')
  return gzipSync(code.join('\n'), { level: 9 }).length
}

export interface TinyServer {
  url: string
  close(): Promise<void>
}

const REPLY = {
  id: 'msg_1',
  turn_id: 'turn_1',
  agent_id: 'assistant',
  user_id: 'default',
  conversation_id: 'conv_1',
  status: 'completed',
  user_message: { role: 'user', content: 'Hello' },
  agent_response: { role: 'assistant', content: 'Hello to you.' },
  usage: { input_tokens: 1, output_tokens: 3 },
  created_at: '2026-01-01T00:00:00.000Z',
}
const EVENTS = [
  ['accepted', { turn_id: 'turn_1', conversation_id: 'conv_1', message_id: 'msg_1' }],
  ['content', { content: 'Hello ', step: 1 }],
  ['content', { content: 'to you.', step: 1 }],
  ['message_end', { id: 'msg_1', usage: REPLY.usage, finish_reason: 'stop' }],
] as const

/** A server that says the same to everyone: enough to see whether the client runs. */
export async function startTinyServer(): Promise<TinyServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    request.resume()
    if (request.headers.authorization !== 'Bearer sk_muxi_1')
      return answer(401, { error: { code: 'unauthorized', message: 'No such key' } })
    if (request.url === '/api/v1/chat') return answer(200, REPLY)
    if (request.url !== '/api/v1/chat/stream')
      return answer(404, { error: { code: 'not_found', message: 'Nothing here' } })
    const frames = EVENTS.map(
      ([type, data], index) => `id: ${index + 1}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`,
    )
    return response.writeHead(200, { 'content-type': 'text/event-stream' }).end(frames.join(''))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

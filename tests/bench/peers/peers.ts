// The peers: how each is started the way its documentation says, and how a turn of it looks on the wire.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../support/children.ts'
import type { Host } from './host.ts'
import { peerFolder } from './install.ts'

export interface SseEvent {
  event: string
  data: string
}

export interface TurnRequest {
  method?: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  body?: object
}

/** A turn on the wire: a request that is answered with server-sent events. */
export interface Wire {
  request(turn: { conversation: string; text: string }): TurnRequest
  /** The text in an event. */
  word(event: SseEvent): string
  failed?(event: SseEvent): boolean
  /** The text that replaces everything before, where an event says so. */
  reset?(event: SseEvent): string | undefined
  /** The name of the turn, for `resume`. */
  turnId?(event: SseEvent): string | undefined
  /** Reads a turn from its first word, whether or not it still runs; left out: the peer has nothing of the kind. */
  resume?(turnId: string): TurnRequest
}

export interface Peer extends Wire {
  /** As `--only` calls it. */
  name: string
  /** As the tables call it, with `{version}` in it. */
  title: string
  /** The folder in `servers/` with its pinned packages; left out: ours. */
  packages?: string
  /** Whose version the tables tell. */
  main?: string
  /** Starts it, or starts it again after `host.kill()`. @returns its address */
  start(host: Host): Promise<string>
}

/** The model itself, without a peer. */
export const direct: Wire = {
  request: ({ text }) => ({
    path: '/v1/chat/completions',
    body: {
      model: 'scripted',
      stream: true,
      messages: [
        { role: 'system', content: 'You are a test agent.' },
        { role: 'user', content: text },
      ],
    },
  }),
  word: ({ data }) => (data === '[DONE]' ? '' : (JSON.parse(data).choices[0]?.delta.content ?? '')),
}

/** How the servers that this folder brings answer. */
const ours: Wire = {
  request: (turn) => ({ path: '/', body: turn }),
  word: ({ event, data }) => (event !== 'message' || data === '[DONE]' ? '' : JSON.parse(data).delta),
  failed: ({ event }) => event === 'error',
}

const MUXI_KEY = 'sk_muxi_bench_key'
const muxi: Peer = {
  name: 'muxi',
  title: '**muxi** {version}, SQLite',
  async start(host) {
    const agents = join(host.folder, 'agents')
    mkdirSync(agents, { recursive: true })
    const agent = {
      description: 'measured',
      system_message: 'You are a test agent.',
      model: { provider: 'openai', model: 'scripted' },
      memory: { buffer: 10 },
    }
    writeFileSync(join(agents, 'bench.json'), JSON.stringify(agent))
    const url = `http://127.0.0.1:${await host.port('api')}`
    await host.launch({
      file: process.execPath,
      args: [`${ROOT}cli/muxi.mjs`, 'serve'],
      env: {
        MUXI_DATA_DIR: join(host.folder, 'data'),
        MUXI_AGENTS_DIR: agents,
        MUXI_PORT: String(await host.port('api')),
        MUXI_TEMPORAL_PORT: String(await host.port('temporal')),
        MUXI_TEMPORAL_UI_PORT: String(await host.port('temporal-ui')),
        MUXI_API_KEY: MUXI_KEY,
        MUXI_LOG_LEVEL: 'warn',
        // All callers use one key.
        MUXI_LIMIT_TURNS_PER_KEY: '1000',
        OPENAI_BASE_URL: `${host.modelUrl}/v1`,
        OPENAI_API_KEY: 'none',
        // With a key of a provider its embedder would be the default; the scripted model has none.
        MUXI_EMBEDDING_MODEL: 'local',
      },
      url: `${url}/readyz`,
    })
    return url
  },
  request: ({ conversation, text }) => ({
    path: '/api/v1/agents/bench/chat/stream',
    headers: { authorization: `Bearer ${MUXI_KEY}` },
    body: { content: text, user_id: conversation },
  }),
  word: ({ event, data }) => (event === 'content' ? JSON.parse(data).content : ''),
  failed: ({ event }) => event === 'error' || event === 'cancelled',
  reset: ({ event, data }) => (event === 'content_reset' ? JSON.parse(data).content : undefined),
  turnId: ({ event, data }) => (event === 'accepted' ? JSON.parse(data).turn_id : undefined),
  resume: (turnId) => ({
    method: 'GET',
    path: `/api/v1/turns/${turnId}/stream`,
    headers: { authorization: `Bearer ${MUXI_KEY}` },
  }),
}

/** Runs the `server.mjs` of a peer. @returns its address */
async function serve(host: Host, folder: string, env: Record<string, string> = {}): Promise<string> {
  const port = await host.port('app')
  const url = `http://127.0.0.1:${port}`
  await host.launch({
    file: process.execPath,
    args: [join(peerFolder(folder), 'server.mjs')],
    env: { PORT: String(port), ...env },
    url: `${url}/healthz`,
  })
  return url
}

const mastra: Peer = {
  name: 'mastra',
  title: 'Mastra {version}, its Hono server, `Memory` on LibSQL',
  packages: 'mastra',
  main: '@mastra/core',
  start: (host) => serve(host, 'mastra', { MASTRA_TELEMETRY_DISABLED: '1' }),
  request: ({ conversation, text }) => ({
    path: '/api/agents/bench/stream',
    body: { messages: [{ role: 'user', content: text }], memory: { thread: conversation, resource: 'bench' } },
  }),
  word({ data }) {
    if (data === '[DONE]') return ''
    const { type, payload } = JSON.parse(data)
    return type === 'text-delta' ? payload.text : ''
  },
}

const voltagent: Peer = {
  name: 'voltagent',
  title: 'VoltAgent {version}, its Hono server, `Memory` on LibSQL',
  packages: 'voltagent',
  main: '@voltagent/core',
  start: (host) => serve(host, 'voltagent'),
  request: ({ conversation, text }) => ({
    path: '/agents/bench/stream',
    body: { input: text, options: { userId: 'bench', conversationId: conversation } },
  }),
  word({ data }) {
    const { type, delta, text } = JSON.parse(data)
    return type === 'text-delta' ? (delta ?? text) : ''
  },
}

const dbos: Peer = {
  ...ours,
  name: 'dbos',
  title: 'DBOS {version}, three durable steps, words not durable',
  packages: 'dbos',
  main: '@dbos-inc/dbos-sdk',
  start: async (host) => serve(host, 'dbos', { DATABASE_URL: await host.postgres(), STREAM: 'memory' }),
}

const dbosStream: Peer = {
  ...dbos,
  name: 'dbos-stream',
  title: 'DBOS {version}, **each word durable**: the fair comparison',
  start: async (host) => serve(host, 'dbos', { DATABASE_URL: await host.postgres(), STREAM: 'durable' }),
  turnId: ({ event, data }) => (event === 'accepted' ? JSON.parse(data).id : undefined),
  resume: (turnId) => ({ method: 'GET', path: `/turns/${turnId}` }),
}

const restate: Peer = {
  ...ours,
  name: 'restate',
  title: 'Restate {version}, three durable steps, words not durable',
  packages: 'restate',
  main: '@restatedev/restate-server',
  async start(host) {
    const [ingress, admin, fabric, service] = await Promise.all(
      ['ingress', 'admin', 'fabric', 'service'].map((name) => host.port(name)),
    )
    await host.launch({
      file: join(peerFolder('restate'), 'node_modules/.bin/restate-server'),
      args: [
        '--no-logo',
        '--node-name=bench',
        `--base-dir=${join(host.folder, 'restate')}`,
        '--listen-mode=tcp',
        '--bind-ip=127.0.0.1',
        `--bind-port=${fabric}`,
      ],
      env: {
        RESTATE_INGRESS__BIND_PORT: String(ingress),
        RESTATE_ADMIN__BIND_PORT: String(admin),
        RESTATE_DISABLE_TELEMETRY: 'true',
        RUST_LOG: 'warn',
      },
      url: `http://127.0.0.1:${admin}/health`,
      store: true,
    })
    const url = await serve(host, 'restate', {
      SERVICE_PORT: String(service),
      INGRESS: `http://127.0.0.1:${ingress}`,
    })
    const deployed = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri: `http://127.0.0.1:${service}`, force: true }),
    })
    if (!deployed.ok) throw new Error(`Restate refused the deployment: ${await deployed.text()}`)
    return url
  },
}

const ai: Peer = {
  ...ours,
  name: 'ai',
  title: '`ai` {version} behind `node:http`, nothing stored',
  packages: 'ai-sdk',
  main: 'ai',
  start: (host) => serve(host, 'ai-sdk'),
}

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [muxi, dbosStream, dbos, restate, mastra, voltagent, ai]

export function versionOf({ packages, main }: Peer): string {
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
  if (packages === undefined || main === undefined) return read(`${ROOT}package.json`).version
  return read(join(peerFolder(packages), 'node_modules', main, 'package.json')).version
}

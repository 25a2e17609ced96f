// The processes of a bench run: a tuned Temporal server, the paced model, and muxi in one or several, each on its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { MALLOC, V8_FLAGS } from '../../cli/app-process.ts'
import { runtimeCommand, withV8Flags } from '../../cli/runtime-command.ts'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { startDevServer } from '../../temporal-config/dev-server.ts'
import { ensureNamespace } from '../../temporal-config/namespace.ts'
import { getServerBinaryOrThrow } from '../../temporal-config/server-binary.ts'
import { freePort } from '../support/free-port.ts'
import { EVERYTHING, NODE } from '../support/mcp-servers.ts'

const KEY = 'sk_muxi_bench_key'

/** A process of muxi. */
export interface Muxi {
  url: string
  key: string
  inspector: string
  pid: number
  stop(): Promise<void>
}

/** Processes that share their data, in a namespace of their own. */
export interface Installation {
  data_dir: string
  start(role: 'all' | 'api' | 'worker', env?: Record<string, string>): Promise<Muxi>
}

export interface InstallOptions {
  /** Left out: SQLite. */
  database_url?: string | undefined
  /** Agents of its own in place of those of the bench. */
  agents?: Record<string, object>
}

export interface Bench {
  temporal: string
  temporal_pid: number
  model: string
  /** One process with everything, on SQLite. */
  muxi: Muxi
  install(name: string, options?: InstallOptions): Promise<Installation>
  stop(): Promise<void>
}

/** Starts everything; `stop` ends it and removes its data. */
export async function startBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  const binary = await getServerBinaryOrThrow({
    dataDir: join(process.cwd(), 'data'),
    env: process.env,
    say: console.log,
    scriptCommand: runtimeCommand,
  })
  const server = await startDevServer({ binary, dataDir: folder, env: process.env })
  const model = await startScript(fileURLToPath(new URL('paced-model.ts', import.meta.url)), [], process.env)
  const measured = {
    description: 'measured',
    system_message: 'none',
    model: { provider: 'openai', model: 'paced', base_url: `${model.ready.url}/v1` },
    memory: { buffer: 0 },
  }
  // The reader knows documents, the caller has a tool, the bench has neither: the difference is what that costs.
  const mcp_servers = [{ name: 'everything', command: NODE, args: [EVERYTHING], approval: 'never' }]
  const ours = { bench: measured, reader: measured, caller: { ...measured, mcp_servers } }

  const install = async (
    namespace: string,
    { database_url, agents = ours }: InstallOptions = {},
  ): Promise<Installation> => {
    const connection = await connectOrThrow({ address: server.address }, { patience_ms: 15_000 })
    await ensureNamespace(connection, { namespace, history_days: 30 })
    await connection.close()
    const data_dir = join(folder, namespace)
    const agents_dir = join(folder, `${namespace}-agents`)
    mkdirSync(agents_dir)
    for (const [id, agent] of Object.entries(agents))
      writeFileSync(join(agents_dir, `${id}.json`), JSON.stringify(agent))
    const env = {
      ...process.env,
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: namespace,
      MUXI_DATA_DIR: data_dir,
      MUXI_AGENTS_DIR: agents_dir,
      MUXI_API_KEY: KEY,
      MUXI_LOG_LEVEL: 'error',
      MUXI_LIMIT_TURNS_PER_USER: '1000',
      MUXI_LIMIT_TURNS_PER_KEY: '1000',
      // An embedder of a provider would be another thing to measure.
      MUXI_EMBEDDING_MODEL: 'local',
      ...(database_url !== undefined && {
        DATABASE_URL: database_url,
        BLOB_URL: `file://${data_dir}/blobs`,
        MUXI_SECRET_KEY: 'a key that all processes of a bench share',
      }),
    }
    return {
      data_dir,
      async start(role, more = {}) {
        const inspector = `127.0.0.1:${await freePort()}`
        const started = await startScript(fileURLToPath(new URL('../../cli/process.ts', import.meta.url)), [role], {
          ...env,
          ...more,
          MUXI_PORT: String(await freePort()),
          NODE_OPTIONS: [process.env['NODE_OPTIONS'], `--inspect=${inspector}`].filter(Boolean).join(' '),
        })
        const { ready, pid } = started
        return { url: ready.url, key: KEY, inspector: `http://${inspector}`, pid, stop: () => started.stop() }
      },
    }
  }
  const muxi = await (await install('default')).start('all')
  return {
    temporal: server.address,
    temporal_pid: server.pid,
    model: model.ready.url,
    muxi,
    install,
    async stop() {
      await muxi.stop()
      await model.stop()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function startScript(script: string, args: string[], env: Record<string, string | undefined>) {
  // As the supervisor starts it.
  const [program, given] = withV8Flags(runtimeCommand(script, ...args), V8_FLAGS)
  const child = spawn(program, given, { env: { ...MALLOC, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const ready = await new Promise<{ url: string }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice(6)) as { url: string })
    })
    void ended.then(() => reject(new Error(`${script} ended before it was ready`)))
  })
  return {
    ready,
    pid: child.pid!,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

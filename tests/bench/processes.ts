// The processes of a bench run: a tuned Temporal server, the paced model, and muxi, each on its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { runtimeCommand } from '../../cli/runtime-command.ts'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { startDevServer } from '../../temporal-config/dev-server.ts'
import { ensureNamespace } from '../../temporal-config/namespace.ts'
import { getServerBinaryOrThrow } from '../../temporal-config/server-binary.ts'
import { freePort } from '../support/free-port.ts'

export interface Bench {
  temporal: string
  model: string
  muxi: { url: string; key: string; inspector: string }
  dataDir: string
  stop(): Promise<void>
}

/** Starts everything; `stop` ends it and removes its data. */
export async function startBench(): Promise<Bench> {
  const dataDir = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  const binary = await getServerBinaryOrThrow({
    dataDir: join(process.cwd(), 'data'),
    env: process.env,
    say: console.log,
    scriptCommand: runtimeCommand,
  })
  const server = await startDevServer({ binary, dataDir, env: process.env })
  const connection = await connectOrThrow({ address: server.address }, { patience_ms: 15_000 })
  await ensureNamespace(connection, { namespace: 'default', history_days: 30 })
  await connection.close()

  const model = await startScript(fileURLToPath(new URL('paced-model.ts', import.meta.url)), [], process.env)
  const agents = join(dataDir, 'agents')
  mkdirSync(agents)
  writeFileSync(
    join(agents, 'bench.yaml'),
    `id: bench\ndescription: measured\nsystem_message: none\nmodel: {provider: openai, model: paced, base_url: '${model.ready.url}/v1'}\nmemory: {buffer: 0}\n`,
  )
  const port = await freePort()
  const inspectPort = await freePort()
  const key = 'sk_muxi_bench_key'
  const muxi = await startScript(fileURLToPath(new URL('../../cli/process.ts', import.meta.url)), ['all'], {
    ...process.env,
    TEMPORAL_ADDRESS: server.address,
    MUXI_PORT: String(port),
    MUXI_DATA_DIR: dataDir,
    MUXI_AGENTS_DIR: agents,
    MUXI_API_KEY: key,
    MUXI_LOG_LEVEL: 'error',
    MUXI_LIMIT_TURNS_PER_USER: '1000',
    MUXI_LIMIT_TURNS_PER_KEY: '1000',
    NODE_OPTIONS: `--inspect=127.0.0.1:${inspectPort}`,
  })
  return {
    temporal: server.address,
    model: model.ready.url,
    muxi: { url: muxi.ready.url, key, inspector: `http://127.0.0.1:${inspectPort}` },
    dataDir,
    async stop() {
      await muxi.stop()
      await model.stop()
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function startScript(script: string, args: string[], env: Record<string, string | undefined>) {
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const ready = await new Promise<{ url: string }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice(6)) as { url: string })
    })
    void ended.then(() => reject(new Error(`${script} ended before it was ready`)))
  })
  return {
    ready,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

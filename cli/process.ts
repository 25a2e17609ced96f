// The app process: API, worker or both, by its role; started and monitored by the supervisor.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import { pino, type Logger } from 'pino'
import { startServer, urlOf } from '../api/server.ts'
import type { ApiContext } from '../api/services/context.ts'
import { syncServers } from '../api/services/mcp-servers.ts'
import { OpenStreams } from '../api/services/open-streams.ts'
import type { Tool } from '../activities/tools/tool.ts'
import type { TurnResources } from '../activities/turn/turn-resources.ts'
import { loadAgentFiles } from '../config/agent-files.ts'
import { readEnvironment } from '../config/environment.ts'
import { loadSettings, type Role, type Settings } from '../config/settings.ts'
import { syncFileAgents } from '../db/queries/agents.ts'
import { findValidHashes } from '../db/queries/keys.ts'
import { openStorage, type Storage } from '../db/storage.ts'
import { checkSecretKey } from '../db/unreadable.ts'
import { connectOrThrow, retryConnect } from '../temporal-config/connection.ts'
import { ensureNamespace } from '../temporal-config/namespace.ts'
import { createEmbedder } from '../providers/create-embedder.ts'
import type { Embedder } from '../providers/embedder.ts'
import { ModelRegistry } from '../providers/registry.ts'
import { checkIssuer, clientDocument, finishSignIn, openSignIn } from '../mcp/oauth.ts'
import { urlGuard } from '../net/url-guard.ts'
import { openVectors } from '../vectors/open-vectors.ts'
import type { VectorStore } from '../vectors/store.ts'
import { createMcpWorker } from '../workers/mcp-worker.ts'
import { transcriberFinder } from '../providers/find-transcriber.ts'
import { createMediaWorker } from '../workers/media-worker.ts'
import { isOurUi } from '../temporal-config/server-arguments.ts'
import { runSweeper } from '../workers/sweeper.ts'
import { upgradeTurns } from '../workers/upgrade.ts'
import { createTurnResources, createWorker } from '../workers/worker.ts'
import { LineWriter, surviveWriteErrors } from './line-writer.ts'
import { audioLimits, createSpeaker, imageLimits } from './media.ts'
import { collectWhenIdle } from './idle-collection.ts'
import { ensureKey } from './key.ts'
import { makeFilesPrivate } from './private-files.ts'
import { readTemporalPlace, TEMPORAL_ON_STDIN, type TemporalPlace } from './temporal-place.ts'
import { watchKnowledge } from './watch-knowledge.ts'

/** Drain timeout in milliseconds; after it the process exits with open work. */
const DRAIN_MS = 20_000
const DEFAULT_ADDRESS = '127.0.0.1:7233'
/** Timeout in milliseconds: an external server may be starting concurrently, as with docker compose. */
const CONNECT_MS = 15_000

export interface ProcessOptions {
  env: Record<string, string | undefined>
  role: Role
  /** Whether the supervisor writes the address of its Temporal server to standard input. */
  temporalOnStdin?: boolean
  /** Added only in tests. */
  tools?: readonly Tool[]
}

/** Runs a role until SIGTERM, or until standard input ends because the supervisor died. */
export async function runProcess({ env, role, temporalOnStdin = false, tools }: ProcessOptions): Promise<void> {
  const settings = loadSettings({ ...env, MUXI_ROLE: role })
  surviveWriteErrors()
  makeFilesPrivate()
  const log = pino({ level: settings.log_level, base: { role } }, new LineWriter(2, { notice: droppedNotice(role) }))
  surviveRejections(log)
  const stopping = onStop(log)
  const temporal = temporalOnStdin ? readTemporalPlace(process.stdin, stopping) : undefined
  temporal?.catch(() => {}) // it is awaited below
  const closers: (() => Promise<void>)[] = []
  try {
    const storage = await openStorage(settings)
    closers.push(() => storage.close())
    await checkSecretKey(storage.db, storage.box)
    const place = await temporal
    const placed = place ? withTemporal(settings, place) : settings
    const announced = await start(placed, role, storage, log, closers, stopping, tools)
    process.stdout.write(`ready ${JSON.stringify(announced)}\n`)
    collectWhenIdle({ signal: stopping })
    await new Promise<void>((resolve) =>
      stopping.aborted ? resolve() : stopping.addEventListener('abort', () => resolve()),
    )
  } catch (error) {
    // A stop request before it serves is not a failure.
    if (stopping.aborted) return
    // Reported before closing: closing may take a while.
    log.fatal({ err: error }, 'cannot go on')
    process.stdout.write(`failed ${JSON.stringify(error instanceof Error ? error.message : String(error))}\n`)
    throw error
  } finally {
    for (const close of closers.toReversed())
      await close().catch((error: unknown) => log.warn({ err: error }, 'could not close cleanly'))
  }
}

function withTemporal(settings: Settings, { address, uiUrl }: TemporalPlace): Settings {
  return { ...settings, temporal: { ...settings.temporal, address, ui_url: uiUrl } }
}

/** Formatted like the other log lines. */
function droppedNotice(role: Role): (dropped: number) => string {
  return (dropped) =>
    JSON.stringify({ level: 50, time: Date.now(), role, dropped, msg: 'log lines could not be written and are lost' })
}

async function start(
  settings: Settings,
  role: Role,
  storage: Storage,
  log: Logger,
  closers: (() => Promise<void>)[],
  stopping: AbortSignal,
  tools: readonly Tool[] | undefined,
): Promise<{ url?: string; key?: string }> {
  const target = { ...settings.temporal, address: settings.temporal.address ?? DEFAULT_ADDRESS }
  installRuntime(settings, log)
  const { vectors, close: closeVectors } = openVectors(storage.db, settings)
  closers.push(closeVectors)
  const patience = { patience_ms: CONNECT_MS, signal: stopping }
  const worker = role === 'api' ? undefined : await retryConnect(target, (to) => NativeConnection.connect(to), patience)
  if (worker) closers.push(() => worker.close())
  // One connection for both lets the server pass a started workflow directly to this worker (eager start).
  const connection = worker ?? (await connectOrThrow(target, patience))
  if (!worker) closers.push(() => connection.close())
  const { namespace } = settings.temporal
  const changes = await ensureNamespace(connection, { namespace, history_days: settings.retention.history_days })
  for (const change of changes) log.info({ namespace }, change)
  const client = new Client({ connection, namespace: settings.temporal.namespace })

  const guard = urlGuard({ allow_private: settings.allow_private_urls })
  closers.push(() => guard.close())
  const models = new ModelRegistry({
    providers: settings.providers,
    offline_words_per_second: settings.offline_words_per_second,
    stall_ms: settings.engine.model_stall_ms,
    guardedFetch: guard.fetch,
  })
  const embedder = createEmbedder(settings.providers, settings.embedding_model)
  const turns = createTurnResources({
    client,
    storage,
    vectors,
    models,
    embedder,
    tools,
    limits: settings.limits,
    // A worker that drains takes no workflow tasks.
    eager: () => role === 'all' && !stopping.aborted,
    headStart: role === 'all',
  })
  if (worker) {
    await upgradeTurns({ client, namespace: settings.temporal.namespace, storage, startTurn: turns.startTurn, log })
    const shared = { settings, storage, vectors, log, client, stopping, models, embedder, turns }
    closers.push(await startWorking({ ...shared, connection: worker }))
  }
  if (role === 'worker') return {}

  const agents = loadAgentFiles(
    settings.agents_dir,
    readEnvironment(process.env),
    settings.providers,
    settings.knowledge_dirs,
  )
  await syncFileAgents(storage.db, storage.box, agents)
  const key = await ensureKey(storage.db, settings.api_key)
  const context: ApiContext = {
    storage,
    vectors,
    embedder,
    speaker: createSpeaker(settings),
    client,
    namespace: settings.temporal.namespace,
    ...temporalUi(settings),
    providers: settings.providers,
    checkUrl: guard.check,
    apiEnv: Object.fromEntries(
      settings.api_env.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    ),
    limits: settings.limits,
    agentsDir: settings.agents_dir,
    knowledgeDirs: settings.knowledge_dirs,
    mcp: {
      commands: settings.mcp_commands,
      allow_private_urls: settings.allow_private_urls,
      fetch: (url, init) => guard.fetch(url, init),
      oauth: { checkIssuer, clientDocument, finishSignIn, openSignIn },
    },
    public_url: publicUrl(settings),
    startTurn: turns.startTurn,
    headStarts: turns.headStarts,
    openStreams: new OpenStreams({
      limits: settings.limits,
      findValid: (hashes) => findValidHashes(storage.db, hashes),
      log,
    }),
    auth: settings.api_key !== false,
    closing: stopping,
    log,
  }
  const server = await startServer(context, { ...settings, version: readVersion() })
  closers.push(() => server.close())
  await syncServers(context, agents)
  const watching = watchKnowledge(context, agents, stopping)
  closers.push(() => watching)
  return { url: server.url, ...(key !== undefined && { key }) }
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** The API serves the UI of muxi's own server; an external UI is only linked. */
function temporalUi(settings: Settings): Pick<ApiContext, 'temporalUiUrl' | 'temporalUpstream'> {
  const url = settings.temporal.ui_url?.replace(/\/$/, '')
  if (url === undefined || !isOurUi(url)) return { temporalUiUrl: url, temporalUpstream: undefined }
  return { temporalUiUrl: `${publicUrl(settings)}${new URL(url).pathname}`, temporalUpstream: new URL(url).origin }
}

/** Public URL of the API, without a trailing slash. */
function publicUrl({ public_url, host, port }: Settings): string {
  return (public_url ?? urlOf(host, port)).replace(/\/$/, '')
}

interface Working {
  settings: Settings
  storage: Storage
  vectors: VectorStore
  log: Logger
  client: Client
  connection: NativeConnection
  stopping: AbortSignal
  models: ModelRegistry
  embedder: Embedder
  turns: TurnResources
}

/** Starts the workers and the sweeper. @returns a function that drains them */
async function startWorking({
  settings,
  storage,
  vectors,
  log,
  client,
  connection,
  stopping,
  models,
  embedder,
  turns,
}: Working): Promise<() => Promise<void>> {
  const worker = await createWorker({
    connection,
    namespace: settings.temporal.namespace,
    cache_dir: join(settings.data_dir, 'cache'),
    storage,
    vectors,
    models,
    embedder,
    findTranscriber: transcriberFinder({ ...settings, choice: settings.transcription }),
    turns,
    tool_output_characters: settings.limits.tool_output_characters,
    log,
  })
  const { document_memory_mb, document_ms, document_output_bytes, document_pages } = settings.limits
  const media = await createMediaWorker({
    connection,
    namespace: settings.temporal.namespace,
    storage,
    parse_limits: {
      memory_mb: document_memory_mb,
      time_ms: document_ms,
      output_bytes: document_output_bytes,
      max_pages: document_pages,
    },
    models,
    image_limits: imageLimits(settings.limits),
    audio_limits: audioLimits(settings.limits),
    log,
  })
  const mcp = await createMcpWorker({
    connection,
    client,
    namespace: settings.temporal.namespace,
    storage,
    commands: settings.mcp_commands,
    allow_private_urls: settings.allow_private_urls,
    public_url: publicUrl(settings),
    version: readVersion(),
    max_message_bytes: settings.limits.mcp_message_bytes,
    ping_ms: settings.engine.mcp_ping_ms,
    tool_output_characters: settings.limits.tool_output_characters,
    log,
  })
  const running = Promise.all([worker.run(), media.run(), mcp.run()])
  const swept = new AbortController()
  const sweeping = runSweeper(
    {
      client,
      storage,
      log,
      startTurn: turns.startTurn,
      interval_ms: settings.engine.sweep_ms,
      retention: settings.retention,
    },
    AbortSignal.any([stopping, swept.signal]),
  )
  running.catch((error: unknown) => {
    log.fatal({ err: error }, 'the worker failed')
    process.exit(1)
  })
  return async () => {
    swept.abort()
    turns.headStarts?.close()
    for (const each of [worker, media]) if (each.getState() === 'RUNNING') each.shutdown()
    mcp.shutdown()
    await running
    await sweeping
  }
}

function installRuntime(settings: Settings, log: Logger): void {
  const level = settings.log_level === 'fatal' || settings.log_level === 'silent' ? 'ERROR' : 'WARN'
  Runtime.install({
    // muxi handles the signals, with one deadline for everything.
    shutdownSignals: [],
    logger: new DefaultLogger(level, ({ level: severity, message, meta }) => {
      // Workers for media and MCP servers have activities only, on purpose.
      if (message.startsWith('No workflows registered')) return
      log[severity === 'ERROR' ? 'error' : 'warn']({ ...meta, workflowInfo: undefined }, message)
    }),
  })
}

/** An unhandled rejection fails one request at most, never the process. The log has the count since the start. */
function surviveRejections(log: Logger): void {
  let count = 0
  process.on('unhandledRejection', (reason) => {
    count += 1
    log.error({ err: reason, unhandled_rejections: count }, 'a promise was rejected and not handled')
  })
}

/** Aborts on SIGTERM, SIGINT and the end of standard input; then the process drains until its deadline. */
function onStop(log: Logger): AbortSignal {
  const controller = new AbortController()
  const stop = (why: string) => {
    if (controller.signal.aborted) return
    log.info(`draining: ${why}`)
    controller.abort()
    setTimeout(() => process.exit(1), DRAIN_MS).unref()
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.stdin
    .on('end', () => stop('the supervisor has exited'))
    .on('error', () => stop('the supervisor has exited'))
    .resume()
  return controller.signal
}

if (import.meta.main) {
  const [role = 'all', ...flags] = process.argv.slice(2)
  const temporalOnStdin = flags.includes(TEMPORAL_ON_STDIN)
  await runProcess({ env: process.env, role: role as Role, temporalOnStdin }).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      process.exit(1)
    },
  )
}

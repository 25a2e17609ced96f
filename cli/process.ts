// The app process: API, worker or both, by its role; started and monitored by the supervisor.
import { Client } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { pino, type Logger } from 'pino'
import type { Tool } from '../activities/tools/tool.ts'
import { readModelsFile } from '../config/models-file.ts'
import { loadSettings, type Role, type Settings } from '../config/settings.ts'
import { openStorage, type Storage } from '../db/storage.ts'
import { checkSecretKey } from '../db/unreadable.ts'
import { connectOrThrow, retryConnect } from '../temporal-config/connection.ts'
import { ensureNamespace } from '../temporal-config/namespace.ts'
import { findEmbedder, openEmbedder } from '../providers/create-embedder.ts'
import { LocalModels } from '../providers/local-models.ts'
import { ModelRegistry } from '../providers/registry.ts'
import { urlGuard } from '../net/url-guard.ts'
import { openVectors } from '../vectors/open-vectors.ts'
import { SearchIndex } from '../vectors/search-index.ts'
import { upgradeTurns } from '../workers/upgrade.ts'
import { modelFaults } from '../contracts/model-check.ts'
import { SettingsError } from '../config/settings-error.ts'
import { createTurnResources } from '../workers/worker.ts'
import { LineWriter, surviveWriteErrors } from './line-writer.ts'
import { collectWhenIdle } from './idle-collection.ts'
import { makeFilesPrivate } from './private-files.ts'
import { readTemporalPlace, TEMPORAL_ON_STDIN, type TemporalPlace } from './temporal-place.ts'
import { installRuntime, onStop, surviveRejections } from './process-events.ts'
import { startApi } from './start-api.ts'
import { startWorkers } from './start-workers.ts'

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
    const { readers, ...announced } = await start(placed, role, storage, log, closers, stopping, tools)
    process.stdout.write(`ready ${JSON.stringify(announced)}\n`)
    collectWhenIdle({ signal: stopping, ...(readers && { readers }) })
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
): Promise<{ url?: string; key?: string; readers?: () => number }> {
  const target = { ...settings.temporal, address: settings.temporal.address ?? DEFAULT_ADDRESS }
  installRuntime(settings, log)
  const { vectors, hidden, close: closeVectors } = openVectors(storage.db, settings)
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
  const client = new Client({ connection, namespace })

  const guard = urlGuard({ allow_private: settings.allow_private_urls })
  closers.push(() => guard.close())
  const local = new LocalModels(settings.providers)
  await local.look()
  const own_models = readModelsFile(settings.models_file)
  const models = new ModelRegistry({
    local,
    providers: settings.providers,
    own_models,
    offline_words_per_second: settings.offline_words_per_second,
    stall_ms: settings.engine.model_stall_ms,
    guardedFetch: guard.fetch,
  })
  models.warm().catch((error: unknown) => log.warn({ err: error }, 'a client of a model provider could not be loaded'))
  const configured = await openEmbedder(settings.providers, settings.embedding_model, own_models)
  closers.push(() => configured.close?.() ?? Promise.resolve())
  const find = (model: string) => findEmbedder(settings.providers, model, own_models)
  const index = new SearchIndex(vectors, { configured, find })
  await tellEmbedder(index, log)
  const [fault] = modelFaults(settings.routing.model, settings.providers, 'file')
  if (fault) throw new SettingsError([`MUXI_ROUTING_MODEL: its ${fault.path.at(-1)} must be ${fault.expected}`])
  const turns = createTurnResources({
    client,
    storage,
    models,
    index,
    tools,
    limits: settings.limits,
    routing: settings.routing,
    // A worker that drains takes no workflow tasks.
    eager: () => role === 'all' && !stopping.aborted,
    headStart: role === 'all',
    log,
  })
  const shared = { settings, storage, log, client, stopping, models, index, hidden, turns, guard }
  if (worker) {
    await upgradeTurns({ client, namespace, storage, startTurn: turns.startTurn, log })
    closers.push(await startWorkers(shared, worker))
  }
  return role === 'worker' ? {} : startApi(shared, closers)
}

/** Says so when the index has vectors of another model than the configured one. */
async function tellEmbedder(index: SearchIndex, log: Logger): Promise<void> {
  const { embedder, hasVectors } = await index.serving()
  const { model: configured } = index.embedders.configured
  if (embedder.model === configured) return
  const how = hasVectors ? 'searches go on with that model' : 'that model cannot be asked, searches find by words only'
  log.warn(
    { index: embedder.model, configured },
    `the index has vectors of another model than MUXI_EMBEDDING_MODEL names: ${how}; POST /api/v1/jobs {"kind":"reembed"} embeds everything again`,
  )
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

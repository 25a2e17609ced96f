// Composes what the API and the workers of a process share, on an open storage and a Temporal server.
import { Client } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import type { Logger } from 'pino'
import type { Tool } from '../activities/tools/tool.ts'
import type { Environment } from '../config/environment.ts'
import { readModelsFile } from '../config/models-file.ts'
import { SettingsError } from '../config/settings-error.ts'
import type { Role, Settings } from '../config/settings.ts'
import { modelFaults } from '../contracts/model-check.ts'
import type { Storage } from '../db/storage.ts'
import { urlGuard } from '../net/url-guard.ts'
import { findEmbedder, openEmbedder } from '../providers/create-embedder.ts'
import { LocalModels } from '../providers/local-models.ts'
import { ModelRegistry } from '../providers/registry.ts'
import { connectOrThrow, retryConnect } from '../temporal-config/connection.ts'
import { ensureNamespace } from '../temporal-config/namespace.ts'
import { openVectors } from '../vectors/open-vectors.ts'
import { SearchIndex } from '../vectors/search-index.ts'
import { createTurnResources } from '../workers/worker.ts'
import type { Composition } from './composition.ts'

const DEFAULT_ADDRESS = '127.0.0.1:7233'
/** Timeout in milliseconds: an external server may be starting concurrently, as with docker compose. */
const CONNECT_MS = 15_000

export interface ComposeOptions {
  /** With the address of the Temporal server, unless it is the default one. */
  settings: Settings
  env: Environment
  role: Role
  storage: Storage
  log: Logger
  /** Gets what has to be closed, in the order of opening. */
  closers: (() => Promise<void>)[]
  /** Aborts when the process is to drain. */
  stopping: AbortSignal
  /** In place of the built-in ones, for tests. */
  tools?: readonly Tool[] | undefined
}

export interface Composed {
  shared: Composition
  /** The connection of workers; undefined for the role `api`. */
  worker: NativeConnection | undefined
}

/** @throws SettingsError, or an error that says that Temporal cannot be reached */
export async function compose(options: ComposeOptions): Promise<Composed> {
  const { settings, env, role, storage, log, closers, stopping, tools } = options
  const { vectors, hidden, close: closeVectors } = openVectors(storage.db, settings)
  closers.push(closeVectors)
  const { client, worker } = await connect(options)
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
  return { shared: { settings, env, storage, log, client, stopping, models, index, hidden, turns, guard }, worker }
}

/** Connects to Temporal, and makes sure that the namespace is as it must be. */
async function connect({ settings, role, log, closers, stopping }: ComposeOptions) {
  const target = { ...settings.temporal, address: settings.temporal.address ?? DEFAULT_ADDRESS }
  const patience = { patience_ms: CONNECT_MS, signal: stopping }
  const worker = role === 'api' ? undefined : await retryConnect(target, (to) => NativeConnection.connect(to), patience)
  if (worker) closers.push(() => worker.close())
  // One connection for both lets the server pass a started workflow directly to this worker (eager start).
  const connection = worker ?? (await connectOrThrow(target, patience))
  if (!worker) closers.push(() => connection.close())
  const { namespace } = settings.temporal
  const changes = await ensureNamespace(connection, { namespace, history_days: settings.retention.history_days })
  for (const change of changes) log.info({ namespace }, change)
  return { client: new Client({ connection, namespace }), worker }
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

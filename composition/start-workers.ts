// Composes and starts the workers of a process, and the sweeper.
import { join } from 'node:path'
import type { NativeConnection } from '@temporalio/worker'
import { mapAll } from '../contracts/map-all.ts'
import { createMcpWorker } from '../workers/mcp-worker.ts'
import { transcriberFinder } from '../providers/find-transcriber.ts'
import { createMediaWorker } from '../workers/media-worker.ts'
import { upgradeTurns } from '../workers/upgrade.ts'
import { runSweeper } from '../workers/sweeper.ts'
import { createWorker } from '../workers/worker.ts'
import { endIdleChildren } from '../media/process/child-pool.ts'
import { audioLimits, imageLimits } from './media.ts'
import { publicUrl, readVersion, type Composition } from './composition.ts'

/**
 * Starts the workers and the sweeper. @param onFailure is called when a worker cannot go on @returns a function that drains them
 */
export async function startWorkers(
  { settings, storage, log, client, stopping, models, index, hidden, turns }: Composition,
  connection: NativeConnection,
  onFailure: (error: unknown) => void,
): Promise<() => Promise<void>> {
  await upgradeTurns({ client, namespace: settings.temporal.namespace, storage, startTurn: turns.startTurn, log })
  const creatingWorker = createWorker({
    connection,
    namespace: settings.temporal.namespace,
    cache_dir: join(settings.data_dir, 'cache'),
    storage,
    models,
    index,
    hidden,
    findTranscriber: transcriberFinder({ ...settings, choice: settings.transcription, own: models.ownModels }),
    turns,
    tool_output_characters: settings.limits.tool_output_characters,
    log,
  })
  const { document_memory_mb, document_ms, document_output_bytes, document_pages } = settings.limits
  const creatingMedia = createMediaWorker({
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
  const creatingMcp = createMcpWorker({
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
    models,
    image_limits: imageLimits(settings.limits),
    tool_output_characters: settings.limits.tool_output_characters,
    log,
  })
  const [worker, media, mcp] = await Promise.all([creatingWorker, creatingMedia, creatingMcp]).catch(
    async (error: unknown) => {
      await endUnused([creatingWorker, creatingMedia, creatingMcp])
      throw error
    },
  )
  const runs = [worker.run(), media.run(), mcp.run()]
  const swept = new AbortController()
  const sweeping = runSweeper(
    {
      client,
      storage,
      hidden,
      vectors: index.vectors,
      log,
      startTurn: turns.startTurn,
      startMemory: turns.startMemory,
      interval_ms: settings.engine.sweep_ms,
      min_age_ms: settings.engine.sweep_age_ms,
      retention: settings.retention,
    },
    AbortSignal.any([stopping, swept.signal]),
  )
  for (const run of runs)
    run.catch((error: unknown) => {
      log.fatal({ err: error }, 'the worker failed')
      onFailure(error)
    })
  return async () => {
    swept.abort()
    turns.headStarts?.close()
    for (const each of [worker, media]) if (each.getState() === 'RUNNING') each.shutdown()
    mcp.shutdown()
    try {
      // Also when one has failed, the others drain.
      await mapAll(runs, (run) => run)
    } finally {
      await endIdleChildren()
      await sweeping
    }
  }
}

interface Runnable {
  run(): Promise<void>
  shutdown(): void
}

/** A worker that was created keeps its connection until it has run. */
async function endUnused(creating: readonly Promise<Runnable>[]): Promise<void> {
  for (const created of await Promise.allSettled(creating)) {
    if (created.status === 'rejected') continue
    const running = created.value.run()
    created.value.shutdown()
    await running
  }
}

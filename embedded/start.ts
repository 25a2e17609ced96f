// Starts everything in this process, with the Temporal server as its child, and without a port of its own.
import { mkdirSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { takeDataLockOrThrow } from '../cli/data-lock.ts'
import { closeDataFolder } from '../cli/private-files.ts'
import { runtimeCommand } from '../cli/runtime-command.ts'
import { TemporalKeeper } from '../cli/temporal-keeper.ts'
import type { TemporalPlace } from '../cli/temporal-place.ts'
import { serverFiles } from '../temporal-config/dev-server.ts'
import { getServerBinaryOrThrow } from '../temporal-config/server-binary.ts'
import { leash } from './leash.ts'
import { openLog } from './log.ts'
import type { EmbeddedOptions } from './options.ts'
import type { Closers, Parts } from './parts.ts'
import { embeddedSettings, type EmbeddedSettings } from './settings.ts'

/** What runs in this process. */
export interface Embedded extends Parts {
  /** Drains and ends everything. */
  close: () => Promise<void>
}

/** @param signal aborts the start, which then ends what it has begun */
export async function startEmbedded(options: EmbeddedOptions, signal: AbortSignal): Promise<Embedded> {
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  signal.addEventListener('abort', stop, { once: true })
  const closers: Closers = []
  const close = async () => {
    stop()
    // All of them are tried; the first error is reported.
    const failures: unknown[] = []
    for (const each of closers.splice(0).toReversed()) await each().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
  try {
    const read = embeddedSettings(options)
    const { data_dir } = read.settings
    mkdirSync(data_dir, { recursive: true, mode: 0o700 })
    // New files get the umask of the program; the folder is closed to other users.
    closeDataFolder(data_dir)
    const lock = takeDataLockOrThrow(data_dir, 'api')
    closers.push(async () => lock.release())
    const log = openLog(read.settings, options.output)
    // The server starts while the modules are loaded and the database is opened.
    const temporal = startTemporal(read, log, stopping.signal, closers)
    temporal?.catch(() => {}) // it is awaited below
    keepCompiled()
    const { openParts } = await import('./parts.ts')
    const parts = await openParts({ ...read, log, temporal, closers, stopping: stopping.signal })
    stopping.signal.throwIfAborted()
    return { ...parts, close }
  } catch (error) {
    await close().catch(() => {}) // the first error counts
    throw error
  }
}

/** muxi's own server, started or adopted; undefined when the settings name an external one. */
function startTemporal(
  { settings: { data_dir, temporal }, env }: EmbeddedSettings,
  log: ReturnType<typeof openLog>,
  signal: AbortSignal,
  closers: Closers,
): Promise<TemporalPlace> | undefined {
  if (temporal.address !== undefined) return undefined
  let unleash: (() => Promise<void>) | undefined
  // Said aloud: getting it may take minutes, once.
  const binary = {
    dataDir: data_dir,
    env,
    say: (line: string) => log.warn(line),
    scriptCommand: runtimeCommand,
    signal,
  }
  const keeper = new TemporalKeeper({
    dataDir: data_dir,
    port: temporal.port,
    uiPort: temporal.ui_port,
    memoryMb: temporal.memory_mb,
    env,
    findBinary: () => getServerBinaryOrThrow(binary),
    onKeep: () => (unleash = leash(serverFiles(data_dir).db)),
    say: (line) => log.info(line),
    signal,
  })
  closers.push(async () => {
    await keeper.stop()
    await unleash?.()
  })
  return keeper.start()
}

/** As `cli/muxi.mjs`: otherwise types are stripped at every start, which takes longer than everything else. Deno has a cache of its own. */
function keepCompiled(): void {
  if (module.getCompileCacheDir?.() !== undefined) return
  module.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache/muxi', import.meta.url)))
}

// The app process: API, worker or both, by its role; started and monitored by the supervisor.
import { pino } from 'pino'
import type { Tool } from '../activities/tools/tool.ts'
import { compose } from '../composition/compose.ts'
import { startApi } from '../composition/start-api.ts'
import { startWorkers } from '../composition/start-workers.ts'
import { installRuntime } from '../composition/temporal-runtime.ts'
import { loadSettings, type Role, type Settings } from '../config/settings.ts'
import { openStorage } from '../db/storage.ts'
import { checkSecretKey } from '../db/unreadable.ts'
import { LineWriter, surviveWriteErrors } from './line-writer.ts'
import { collectWhenIdle } from './idle-collection.ts'
import { makeFilesPrivate } from './private-files.ts'
import { readTemporalPlace, TEMPORAL_ON_STDIN, type TemporalPlace } from './temporal-place.ts'
import { onStop, surviveRejections } from './process-events.ts'

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
    installRuntime(settings, log)
    const options = { settings: placed, env, role, storage, log, closers, stopping, tools }
    const { shared, worker } = await compose(options)
    if (worker) closers.push(await startWorkers(shared, worker, () => process.exit(1)))
    const api = role === 'worker' ? undefined : await startApi(shared, closers)
    const { readers, ...announced } = api ?? {}
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

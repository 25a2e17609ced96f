// Stopping what runs, at once: a registry for this process, and a row that the registries of other processes look at.
import type { ForeignStops } from './dialect.ts'
import { findJobsToCancel } from './queries/jobs.ts'
import { findCancelRequested } from './queries/turns.ts'
import type { Db } from './schema.ts'

/** The reason of a signal that somebody's stop request aborted; the engine's cancellation follows, but later. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested'
}

export class StopRegistry {
  readonly #db: Db
  readonly #foreign: ForeignStops
  readonly #running = new Map<string, Set<AbortController>>()
  #unlisten: (() => void) | undefined

  constructor(db: Db, foreign: ForeignStops) {
    this.#db = db
    this.#foreign = foreign
  }

  /** A signal that aborts with `StopRequested` when the turn or job is to stop, until `done` is called. */
  register(turnId: string): { signal: AbortSignal; done: () => void } {
    const controller = new AbortController()
    const controllers = this.#running.get(turnId) ?? new Set()
    this.#running.set(turnId, controllers.add(controller))
    this.#unlisten ??= this.#foreign.listen((stops) => this.#hear(stops))
    const done = () => {
      controllers.delete(controller)
      if (controllers.size === 0) this.#running.delete(turnId)
      if (this.#running.size > 0) return
      this.#unlisten?.()
      this.#unlisten = undefined
    }
    return { signal: controller.signal, done }
  }

  /** Stops what this process does for a turn or a job. */
  stop(turnId: string): void {
    for (const controller of this.#running.get(turnId) ?? []) controller.abort(new StopRequested('Stopped'))
  }

  #hear(stops: readonly string[] | undefined): void {
    if (!stops) return void this.#look().catch(() => undefined)
    for (const turnId of stops) this.stop(turnId)
  }

  async #look(): Promise<void> {
    const ids = [...this.#running.keys()]
    for (const turnId of await findCancelRequested(this.#db, ids)) this.stop(turnId)
    for (const jobId of await findJobsToCancel(
      this.#db,
      ids.filter((id) => id.startsWith('job_')),
    ))
      this.stop(jobId)
  }
}

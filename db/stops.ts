// Immediate stops of turns and jobs: a registry in this process, and rows that the registries of other processes read.
import type { ForeignStops } from './dialect.ts'
import { findToStop } from './queries/stop-requests.ts'
import type { Db } from './schema.ts'

/** The abort reason of a stop request; Temporal's cancellation follows later. */
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

  /** A signal that aborts with `StopRequested` when the turn or job has a stop request, until `done` is called. */
  register(id: string): { signal: AbortSignal; done: () => void } {
    const controller = new AbortController()
    const controllers = this.#running.get(id) ?? new Set()
    this.#running.set(id, controllers.add(controller))
    this.#unlisten ??= this.#foreign.listen((stops) => this.#onStops(stops))
    const done = () => {
      controllers.delete(controller)
      if (controllers.size === 0) this.#running.delete(id)
      if (this.#running.size > 0) return
      this.#unlisten?.()
      this.#unlisten = undefined
    }
    return { signal: controller.signal, done }
  }

  /** Aborts the work of this process for a turn or a job. */
  stop(id: string): void {
    for (const controller of this.#running.get(id) ?? []) controller.abort(new StopRequested('Stopped'))
  }

  #onStops(stops: readonly string[] | undefined): void {
    if (!stops) return void this.#look().catch(() => undefined)
    for (const id of stops) this.stop(id)
  }

  async #look(): Promise<void> {
    for (const id of await findToStop(this.#db, [...this.#running.keys()])) this.stop(id)
  }
}

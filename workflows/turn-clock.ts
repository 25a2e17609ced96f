// The time that a turn may take. It stands still while all that the turn does waits for people.
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow'
import type { ParkedCall } from '../contracts/engine.ts'

export class TurnClock {
  readonly #calls = new Set<string>()
  readonly #waiting = new Set<string>()
  readonly #work = new CancellationScope()
  #left = 0
  #since = 0
  #timer: { scope: CancellationScope; over: Promise<void> } | undefined
  #isRunning = false
  #isLate = false

  /** Runs work that is cancelled when its time is over. @throws what `late` makes */
  async limit(ms: number, work: () => Promise<void>, late: () => Error): Promise<void> {
    this.#left = ms
    this.#isRunning = true
    this.#look()
    try {
      await this.#work.run(work)
    } catch (error) {
      if (this.#isLate && isCancellation(error)) throw late()
      throw error
    } finally {
      this.#isRunning = false
      await this.#stop()
    }
  }

  /** Does something for a call; when that is over the call no longer waits. */
  async during<T>(callId: string, work: () => Promise<T>): Promise<T> {
    this.#calls.add(callId)
    this.#look()
    try {
      return await work()
    } finally {
      this.#calls.delete(callId)
      this.#waiting.delete(callId)
      this.#look()
    }
  }

  hear({ call_id, waits }: ParkedCall): void {
    if (waits) this.#waiting.add(call_id)
    else this.#waiting.delete(call_id)
    this.#look()
  }

  #look(): void {
    const stands = this.#calls.size > 0 && [...this.#calls].every((id) => this.#waiting.has(id))
    if (!this.#isRunning || stands) void this.#stop()
    else if (!this.#timer) this.#start()
  }

  #start(): void {
    const scope = new CancellationScope()
    this.#since = Date.now()
    const over = scope
      .run(() => sleep(Math.max(1, this.#left)))
      .then(() => {
        this.#isLate = true
        this.#work.cancel()
      })
      .catch(() => undefined)
    this.#timer = { scope, over }
  }

  async #stop(): Promise<void> {
    const timer = this.#timer
    if (!timer) return
    this.#timer = undefined
    this.#left -= Date.now() - this.#since
    timer.scope.cancel()
    await timer.over
  }
}

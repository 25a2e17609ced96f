// The active time of a turn: it passes during model calls and tool calls, and is paused while every running call waits for a person.
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow'
import type { ParkedCall } from '../contracts/turn.ts'

export class TurnClock {
  readonly #running = new Set<string>()
  readonly #waiting = new Set<string>()
  #left: number
  #since = 0
  #timer: { scope: CancellationScope; fired: Promise<void> } | undefined
  #work: CancellationScope | undefined
  #isLate = false
  readonly #tell: ((waits: boolean) => void) | undefined
  /** As signalled last. */
  #waits = false

  /** @param ms how much active time the turn may take
   * @param tell is called when all running calls begin to wait for people, and when they do not wait any more */
  constructor(ms: number, tell?: (waits: boolean) => void) {
    this.#left = ms
    this.#tell = tell
  }

  /** What is left, in milliseconds; at least 1, because Temporal takes no timeout of 0. */
  get left(): number {
    return Math.max(1, this.#left)
  }

  /** Counts the time that `work` takes; the caller limits it to `left`. */
  async count<T>(work: () => Promise<T>): Promise<T> {
    const since = Date.now()
    try {
      return await work()
    } finally {
      this.#left -= Date.now() - since
    }
  }

  /**
   * Runs tool calls, and cancels them when the active time is used up.
   * @throws the error that `late` returns
   */
  async limit<T>(work: () => Promise<T>, late: () => Error): Promise<T> {
    const scope = new CancellationScope()
    this.#work = scope
    try {
      return await scope.run(work)
    } catch (error) {
      if (this.#isLate && isCancellation(error)) throw late()
      throw error
    } finally {
      this.#work = undefined
      await this.#stop()
    }
  }

  /** Runs one call within `limit`. */
  async during<T>(callId: string, work: () => Promise<T>): Promise<T> {
    this.#running.add(callId)
    this.#update()
    try {
      return await work()
    } finally {
      this.#running.delete(callId)
      this.#waiting.delete(callId)
      this.#update()
    }
  }

  /** Handles the signal of a call that starts or stops waiting for a person. */
  setParked({ call_id, waits }: ParkedCall): void {
    if (waits) this.#waiting.add(call_id)
    else this.#waiting.delete(call_id)
    this.#update()
  }

  #update(): void {
    const isActive = [...this.#running].some((id) => !this.#waiting.has(id))
    const waits = this.#running.size > 0 && !isActive
    if (waits !== this.#waits) {
      this.#waits = waits
      this.#tell?.(waits)
    }
    if (!this.#work || !isActive) void this.#stop()
    else if (!this.#timer) this.#start(this.#work)
  }

  #start(work: CancellationScope): void {
    const scope = new CancellationScope()
    this.#since = Date.now()
    const fired = scope
      .run(() => sleep(this.left))
      .then(() => {
        this.#isLate = true
        work.cancel()
      })
      .catch(() => undefined)
    this.#timer = { scope, fired }
  }

  async #stop(): Promise<void> {
    const timer = this.#timer
    if (!timer) return
    this.#timer = undefined
    this.#left -= Date.now() - this.#since
    timer.scope.cancel()
    await timer.fired
  }
}

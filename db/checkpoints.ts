// Has a thread copy what has been committed from SQLite's log into its file, as long as there is much to copy.
import { Worker } from 'node:worker_threads'

/** Commits within `WINDOW_MS` with which the thread starts, and without which it ends. */
const FEW_COMMITS = 20
const WINDOW_MS = 30_000
/** Commits that may be left to be copied later: about the 1,000 pages after which SQLite by itself would copy them. */
const MOST_LEFT = 200

export interface CheckpointOptions {
  /** In place of `WINDOW_MS`, for tests; in milliseconds. */
  windowMs?: number
}

/** Of one file. The thread starts when there is something to do, ends when there is little, and keeps no process alive. */
export class Checkpoints {
  readonly #file: string
  readonly #windowMs: number
  /** Since the last thread ended. */
  #left = 0
  #inWindow = 0
  #windowEnds = 0
  #thread: Worker | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(file: string, { windowMs = WINDOW_MS }: CheckpointOptions = {}) {
    this.#file = file
    this.#windowMs = windowMs
  }

  /** Whether the thread is there: 11 to 24 MiB. */
  get running(): boolean {
    return this.#thread !== undefined
  }

  /** Counts a commit. */
  count(): void {
    const now = performance.now()
    if (now > this.#windowEnds) {
      this.#windowEnds = now + this.#windowMs
      this.#inWindow = 0
    }
    this.#inWindow += 1
    this.#left += 1
    if (this.#thread || this.#closed || (this.#inWindow < FEW_COMMITS && this.#left < MOST_LEFT)) return
    this.#start()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#end()
  }

  #start(): void {
    const thread = new Worker(new URL('checkpoint-thread.ts', import.meta.url), { workerData: this.#file })
    this.#thread = thread
    this.#left = 0
    thread.unref()
    let before = 0
    this.#timer = setInterval(() => {
      if (this.#left - before < FEW_COMMITS) void this.#end()
      else before = this.#left
    }, this.#windowMs).unref()
    // The disk failed. It is tried again after some commits, and the writers do it themselves when the log has grown long.
    thread.on('error', () => {})
    thread.on('exit', () => this.#forget(thread))
  }

  async #end(): Promise<void> {
    const thread = this.#thread
    if (!thread) return
    this.#forget(thread)
    await thread.terminate()
  }

  #forget(thread: Worker): void {
    if (this.#thread !== thread) return
    clearInterval(this.#timer)
    this.#thread = undefined
    this.#left = 0
    this.#inWindow = 0
  }
}

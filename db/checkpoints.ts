// Schedules WAL checkpoints on a thread.
import { Worker } from 'node:worker_threads'

/** With fewer commits than this, the checkpoint is left to the closing of the file. */
const FEW_COMMITS = 20

/** Checkpoints of one file. The thread starts on demand, and does not keep the process alive. */
export class Checkpoints {
  readonly #file: string
  #commits = 0
  #thread: Worker | undefined

  constructor(file: string) {
    this.#file = file
  }

  /** Counts a commit. */
  count(): void {
    this.#commits += 1
    if (this.#thread || this.#commits < FEW_COMMITS) return
    this.#commits = 0
    const thread = new Worker(new URL('checkpoint-thread.ts', import.meta.url), { workerData: this.#file })
    this.#thread = thread
    thread.unref()
    // The disk failed. The next commits trigger a retry, and writers make the checkpoint themselves when the log is long.
    thread.on('error', () => {})
    thread.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined
    })
  }

  async close(): Promise<void> {
    this.#commits = -Infinity
    await this.#thread?.terminate()
  }
}

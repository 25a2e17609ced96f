// Has a thread copy what has been committed from SQLite's log into its file.
import { Worker } from 'node:worker_threads'

/** So few commits are left to whoever closes the file. */
const FEW_COMMITS = 20

/** Of one file. The thread starts when there is something to do, and keeps no process alive. */
export class Checkpoints {
  readonly #file: string
  #commits = 0
  #thread: Worker | undefined

  constructor(file: string) {
    this.#file = file
  }

  /** Something has been committed. */
  count(): void {
    this.#commits += 1
    if (this.#thread || this.#commits < FEW_COMMITS) return
    this.#commits = 0
    const thread = new Worker(new URL('checkpoint-thread.ts', import.meta.url), { workerData: this.#file })
    this.#thread = thread
    thread.unref()
    // The disk failed. It is tried again after some commits, and the writers do it themselves when the log has grown long.
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

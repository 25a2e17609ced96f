// Client of the thread for vector search.
import { Worker } from 'node:worker_threads'
import type { Answer, Near, NearestQuery } from './nearest-thread.ts'

/** Vector search in one file. The thread starts with the first query and does not keep the process alive. */
export class NearestFinder {
  readonly #file: string
  readonly #asked = new Map<number, PromiseWithResolvers<Near[]>>()
  #thread: Worker | undefined
  #number = 0

  constructor(file: string) {
    this.#file = file
  }

  /** The nearest visible chunks of each space. @throws Error as node:sqlite does, or when the thread dies */
  find(query: NearestQuery): Promise<Near[]> {
    const thread = (this.#thread ??= this.#start())
    const number = (this.#number += 1)
    const asked = Promise.withResolvers<Near[]>()
    this.#asked.set(number, asked)
    thread.ref()
    thread.postMessage({ number, query })
    return asked.promise
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
  }

  #start(): Worker {
    const thread = new Worker(new URL('nearest-thread.ts', import.meta.url), { workerData: this.#file })
    thread.on('message', (answer: Answer) => {
      const asked = this.#asked.get(answer.number)
      this.#asked.delete(answer.number)
      if (this.#asked.size === 0) thread.unref()
      if ('near' in answer) asked?.resolve(answer.near)
      else asked?.reject(Object.assign(new Error(answer.error.message), answer.error))
    })
    thread.on('error', (error) => this.#end(thread, error))
    thread.on('exit', () => this.#end(thread, new Error('The thread that compares vectors has ended')))
    return thread
  }

  #end(thread: Worker, why: Error): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    for (const asked of this.#asked.values()) asked.reject(why)
    this.#asked.clear()
  }
}

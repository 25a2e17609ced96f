// Work on untrusted input, in a thread that is terminated when it exceeds its time or memory limit.
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

export interface WorkerLimits {
  /** Time limit of one request, in milliseconds. */
  time_ms: number
  /** Limit of the thread's heap, and of the process's growth during the request. */
  memory_mb: number
  /** Limit of queued requests. */
  waiting: number
}

export type WorkerMessage<Answer> = { ready: true } | { answer: Answer } | { error: string }
export type WorkerReason = 'too_slow' | 'too_much_memory' | 'busy' | 'crashed'

/** Work that was terminated, in contrast to work that failed. */
export class WorkerFault extends Error {
  override readonly name = 'WorkerFault'
  readonly reason: WorkerReason

  constructor(reason: WorkerReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

/** Longest wait for a thread to be ready, in milliseconds. */
const START_MS = 20_000
/** Interval of memory checks, in milliseconds: Deno 2.9 has no memory limit for a thread, and Node's does not count buffers. */
const MEMORY_WATCH_MS = 25

/** One thread that handles requests in sequence; it is reused while it stays within its limits. */
export class BoundedWorker<Request, Answer> {
  readonly #script: URL
  readonly #limits: WorkerLimits
  #thread: Promise<Worker> | undefined
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(script: URL, limits: WorkerLimits) {
    this.#script = script
    this.#limits = limits
  }

  /** @throws WorkerFault, an error with the message that the thread threw, or the signal's reason */
  async ask(request: Request, signal: AbortSignal): Promise<Answer> {
    if (this.#waiting >= this.#limits.waiting) throw new WorkerFault('busy', 'too much is being asked at once')
    this.#waiting++
    const done = this.#last.then(() => this.#work(request, signal)).finally(() => this.#waiting--)
    this.#last = done.catch(() => {})
    return done
  }

  async close(): Promise<void> {
    await this.#end()
  }

  async #work(request: Request, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    const thread = await this.#ready()
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const { time_ms, memory_mb } = this.#limits
    const before = process.memoryUsage.rss()
    const tooMuch = () => reject(new WorkerFault('too_much_memory', `it needs more than ${memory_mb} MB`))
    const late = setTimeout(() => reject(new WorkerFault('too_slow', `it takes longer than ${time_ms} ms`)), time_ms)
    const watch = setInterval(() => {
      if (process.memoryUsage.rss() - before > memory_mb * 1_000_000) tooMuch()
    }, MEMORY_WATCH_MS)
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const failed = (error: Error & { code?: string }) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') tooMuch()
      else reject(new WorkerFault('crashed', 'its thread ended', error))
    }
    const ended = () => reject(new WorkerFault('crashed', 'its thread ended'))
    let behaved = false
    const take = (message: WorkerMessage<Answer>) => {
      behaved = true
      if ('answer' in message) resolve(message.answer)
      else reject(new Error('error' in message ? message.error : 'it said what cannot be understood'))
    }
    thread.on('message', take).on('error', failed).on('exit', ended)
    thread.postMessage(request)
    try {
      return await promise
    } finally {
      clearTimeout(late)
      clearInterval(watch)
      signal.removeEventListener('abort', abort)
      thread.off('message', take).off('error', failed).off('exit', ended)
      if (!behaved) void this.#end()
    }
  }

  async #ready(): Promise<Worker> {
    this.#thread ??= start(this.#script, this.#limits)
    try {
      const thread = await this.#thread
      if (thread.threadId !== -1) return thread
    } catch (error) {
      this.#thread = undefined
      throw error
    }
    // It exited while idle.
    this.#thread = start(this.#script, this.#limits)
    return this.#thread
  }

  /** The next request gets a new thread at once: terminating a busy one takes two seconds on Deno 2.9. */
  async #end(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await (await thread?.catch(() => undefined))?.terminate()
  }
}

async function start(script: URL, { memory_mb }: WorkerLimits): Promise<Worker> {
  const thread = new Worker(script, { env: {}, resourceLimits: { maxOldGenerationSizeMb: memory_mb } })
  // An error while idle shows at the next request.
  thread.on('error', () => {})
  const waiting = new AbortController()
  const ready = new Promise<void>((resolve, reject) => {
    thread.once('message', () => resolve())
    thread.once('error', reject)
    thread.once('exit', () => reject(new WorkerFault('crashed', 'its thread ended')))
  })
  const late = sleep(START_MS, undefined, { signal: waiting.signal }).then(() => {
    throw new WorkerFault('too_slow', `its thread was not ready within ${START_MS} ms`)
  })
  try {
    await Promise.race([ready, late])
    return thread
  } catch (error) {
    await thread.terminate()
    throw error
  } finally {
    waiting.abort()
    late.catch(() => {})
  }
}

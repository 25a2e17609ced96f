// `muxi()` of the package: a client of a server, or everything in this process.
import { Muxi, muxi as connect, MuxiError, type MuxiOptions } from '../client/index.ts'
import { memoryFetch } from './memory-fetch.ts'
import { memoryWebSocket } from './memory-socket.ts'
import type { EmbeddedOptions, ListeningServer, ServeOptions } from './options.ts'
import type { Embedded } from './start.ts'

/** Of the requests in memory; any loopback name. */
const HERE = 'http://localhost'

/** Connects to a server. Nothing is sent before the first call. */
export function muxi(options: MuxiOptions & ({ serverUrl: string } | { server_url: string })): Muxi
/** Starts everything in this process, in the background: the first call waits for the start, and gets its error. */
export function muxi(options?: EmbeddedOptions): EmbeddedMuxi
export function muxi(options: MuxiOptions | EmbeddedOptions = {}): Muxi {
  if (options.serverUrl !== undefined || options.server_url !== undefined) return connect(options as MuxiOptions)
  return new EmbeddedMuxi(options as EmbeddedOptions)
}

/** The start failed, or what runs in this process cannot go on: no request is answered any more. */
export class EmbeddedError extends MuxiError {
  constructor(cause: unknown) {
    // Not to be tried again, ever.
    const message = cause instanceof Error ? cause.message : String(cause)
    super('unavailable', message, { cause, retryAfterMs: Infinity })
  }
}

/** The client of what runs in this process. It must be closed: until then the process goes on. */
export class EmbeddedMuxi extends Muxi {
  readonly #starting: Promise<Embedded>
  readonly #stop: AbortController
  #closed: Promise<void> | undefined

  constructor(options: EmbeddedOptions = {}) {
    const stop = new AbortController()
    const starting = import('./start.ts').then(({ startEmbedded }) => startEmbedded(options, stop.signal))
    starting.catch(() => {}) // calls get it
    const running = async () => {
      if (stop.signal.aborted) throw new EmbeddedError(new Error('Cannot do this: it was closed'))
      const embedded = await starting.catch((error: unknown) => {
        throw new EmbeddedError(error)
      })
      if (embedded.failed.aborted) throw new EmbeddedError(embedded.failed.reason)
      return embedded
    }
    super({
      ...options,
      serverUrl: HERE,
      fetch: memoryFetch(async (request) => (await running()).answer(request)),
      WebSocket: memoryWebSocket(async () => (await running()).sockets),
    })
    this.#starting = starting
    this.#stop = stop
  }

  /** Resolves when everything runs. @throws the error of the start */
  async ready(): Promise<void> {
    await this.#starting
  }

  /** Opens the HTTP server on top; a key that it makes is shown once. */
  async startServer(options: ServeOptions = {}): Promise<ListeningServer> {
    const server = await (await this.#starting).serve(options)
    if (server.key !== undefined) console.log(`API key: ${server.key} (shown only now)`)
    return server
  }

  /** The same until SIGINT or SIGTERM, after which everything is drained and closed. A second signal ends the process at once. */
  async runServer(options: ServeOptions = {}): Promise<void> {
    const { promise: signalled, resolve } = Promise.withResolvers<void>()
    let isSignalled = false
    const stop = () => {
      isSignalled = true
      // Ends a start, which may be getting the Temporal server for minutes.
      this.#stop.abort()
      resolve()
    }
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop)
    try {
      const { url } = await this.startServer(options)
      console.log(`muxi is ready: ${url}`)
      await Promise.race([signalled, this.#failed()])
    } catch (error) {
      if (!isSignalled) throw error
    } finally {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop)
      await this.close()
    }
  }

  /** Drains the work, and ends everything that was started: no process, handle, timer or lock is left. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Alias of `startServer`. */
  start_server(options?: ServeOptions): Promise<ListeningServer> {
    return this.startServer(options)
  }

  /** Alias of `runServer`. */
  run_server(options?: ServeOptions): Promise<void> {
    return this.runServer(options)
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    const embedded = await this.#starting.catch(() => undefined)
    await embedded?.close()
  }

  async #failed(): Promise<never> {
    const { failed } = await this.#starting
    failed.throwIfAborted()
    return new Promise((_, reject) => failed.addEventListener('abort', () => reject(failed.reason as Error)))
  }
}

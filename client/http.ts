// Requests to the server: retries with backoff, timeouts, idempotency keys, errors by code, and a log hook.
import { delayOf, LONGEST_PAUSE_MS, LONGEST_TIMER_MS, sleep } from './backoff.ts'
import { ConnectionLostError, errorOfResponse, MuxiError, TimeoutError } from './errors.ts'
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './options.ts'

/** What every call takes besides its own fields. */
export interface CallOptions {
  signal?: AbortSignal | undefined
  timeoutMs?: number | undefined
  maxRetries?: number | undefined
  /** For requests that the server carries out once for each key; one is made when it is left out. */
  idempotencyKey?: string | undefined
  headers?: Record<string, string> | undefined
}

export type RequestQuery = { readonly [name: string]: string | number | boolean | readonly string[] | undefined }

export interface RequestInitOf extends CallOptions {
  query?: RequestQuery | undefined
  json?: unknown
  form?: FormData | undefined
  body?: BodyInit | undefined
  accept?: string | undefined
  /** Attempts after the first while no server can be reached; default: as many as after other failures. */
  outageRetries?: number | undefined
}

/** A promise of the data, which also gives the whole answer: `await app.agents.get('tea').withResponse()`. */
export interface Answer<T> extends Promise<T> {
  withResponse(): Promise<{ data: T; response: Response; requestId: string | undefined }>
}

/** Requests to one server: what every resource of the client is made of. */
export class Http {
  readonly options: ResolvedOptions

  constructor(options: ClientOptions) {
    this.options = resolveOptions(options)
  }

  /** @param path below `/api/v1`; without a slash in front, below the server's address: `healthz` */
  url(path: string, query: RequestQuery = {}): string {
    const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
    const search = given.length > 0 ? `?${new URLSearchParams(given).toString()}` : ''
    return `${this.options.serverUrl}${path.startsWith('/') ? '/api/v1' : '/'}${path}${search}`
  }

  /** Sends a request and reads its answer as JSON, or as text when it is of another type. */
  json<T>(method: string, path: string, init: RequestInitOf = {}): Answer<T> {
    const read = async (response: Response) => {
      const isJson = response.headers.get('content-type')?.includes('json')
      // Of a deletion whose answer was lost.
      if (response.status === 404) return { data: {} as T, response }
      return { data: (await (isJson ? response.json() : response.text())) as T, response }
    }
    const answered = this.#call(method, path, init, read)
    const data = answered.then((each) => each.data)
    const withResponse = () => {
      // The caller has the other promise.
      data.catch(() => undefined)
      return answered.then((each) => ({ ...each, requestId: requestIdOf(each.response) }))
    }
    return Object.assign(data, { withResponse })
  }

  /**
   * Sends a request.
   * @returns the answer, with its body unread, when its status is 2xx or 304
   * @throws MuxiError
   */
  send(method: string, path: string, init: RequestInitOf = {}): Promise<Response> {
    return this.#call(method, path, init, async (response) => response)
  }

  async #call<T>(method: string, path: string, init: RequestInitOf, read: Read<T>): Promise<T> {
    const { maxRetries = this.options.maxRetries, outageRetries = maxRetries, signal, idempotencyKey } = init
    const isRepeatable = /GET|HEAD|PUT|DELETE/.test(method) || idempotencyKey !== undefined
    for (let attempt = 0; ; attempt++) {
      const begun = Date.now()
      const log = (status?: number, requestId?: string, error?: string) =>
        this.options.log?.({
          method,
          path,
          attempt: attempt + 1,
          status,
          requestId,
          durationMs: Date.now() - begun,
          error,
        })
      try {
        const [value, response] = await this.#attempt(method, path, init, read, attempt > 0)
        log(response.status, requestIdOf(response))
        return value
      } catch (error) {
        if (signal?.aborted || !(error instanceof MuxiError)) throw error
        const { code, status, requestId, message, retryAfterMs = 0 } = error
        log(status || undefined, requestId, message)
        const mayRetry = status === 429 || (isRepeatable && (status === 0 || status === 408 || status >= 500))
        const isOutage = code === 'connection_lost' || code === 'unavailable'
        if (!mayRetry || attempt >= (isOutage ? outageRetries : maxRetries) || retryAfterMs > LONGEST_PAUSE_MS) {
          // It may have been accepted: under the same key it is not done twice.
          if (idempotencyKey !== undefined && (isOutage || status === 0))
            Object.assign(error, { details: { ...error.details, idempotency_key: idempotencyKey } })
          throw error
        }
        await sleep(delayOf(attempt, error.retryAfterMs), signal)
      }
    }
  }

  async #attempt<T>(
    method: string,
    path: string,
    init: RequestInitOf,
    read: Read<T>,
    isRepeated: boolean,
  ): Promise<[T, Response]> {
    const { fetch, apiKey, timeoutMs: defaultMs } = this.options
    const { json, query, form, accept, idempotencyKey, signal, timeoutMs = defaultMs } = init
    const headers = new Headers({
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(accept !== undefined && { accept }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    })
    new Headers(init.headers).forEach((value, name) => headers.set(name, value))
    const body = json === undefined ? (form ?? init.body) : JSON.stringify(json)
    signal?.throwIfAborted()
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), Math.min(timeoutMs, LONGEST_TIMER_MS))
    try {
      const response = await fetch(this.url(path, query), {
        method,
        headers,
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
        ...(body !== undefined && { body }),
        ...(body instanceof ReadableStream && { duplex: 'half' }),
      })
      const { ok, status } = response
      // What is not there any more was deleted by the attempt before.
      const isGone = isRepeated && method === 'DELETE' && status === 404
      if (!ok && status !== 304 && !isGone) throw await errorOfResponse(response, apiKey)
      return [await read(response), response]
    } catch (cause) {
      if (cause instanceof MuxiError) throw cause
      if (signal?.aborted) throw signal.reason
      if (late.signal.aborted) throw new TimeoutError(`${method} ${path}: no answer within ${timeoutMs} ms`, { cause })
      throw new ConnectionLostError(`${method} ${path}: the connection to the server is lost`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }
}

type Read<T> = (response: Response) => Promise<T>

function requestIdOf({ headers }: Response): string | undefined {
  return headers.get('x-request-id') ?? undefined
}

/** Not `crypto.randomUUID`: pages over plain HTTP do not have it. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

// The options of a client, with their defaults.
import type { SocketConstructor } from './socket/socket-like.ts'

/** What the client needs of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** One attempt of a request, for `log`. It holds no body, header or key. */
export interface LogEntry {
  method: string
  path: string
  /** 1 for the first attempt. */
  attempt: number
  /** Left out when no answer came. */
  status?: number | undefined
  requestId?: string | undefined
  durationMs: number
  error?: string | undefined
}

export interface ClientOptions {
  /** Such as `http://127.0.0.1:5050`; empty for the server of the page. */
  serverUrl: string
  apiKey?: string | undefined
  /** Default: the global `fetch`. */
  fetch?: Fetch | undefined
  /** Default: the global `WebSocket`. */
  WebSocket?: SocketConstructor | undefined
  /** Of each attempt, until its answer is read; of a stream, until it begins. Default: 600,000. */
  timeoutMs?: number | undefined
  /** Attempts after the first. Default: 2. */
  maxRetries?: number | undefined
  /** Called after each attempt. */
  log?: ((entry: LogEntry) => void) | undefined
}

/** Options with their defaults filled in. Neither `inspect` nor JSON shows the key. */
export type ResolvedOptions = ClientOptions & Required<Pick<ClientOptions, 'fetch' | 'timeoutMs' | 'maxRetries'>>

export function resolveOptions({ apiKey, ...options }: ClientOptions): ResolvedOptions {
  const { serverUrl, fetch = globalThis.fetch, timeoutMs = 600_000, maxRetries = 2 } = options
  if (typeof serverUrl !== 'string')
    throw new TypeError("Cannot create the client: 'serverUrl' must be an address such as http://127.0.0.1:5050")
  if (apiKey !== undefined && !/^[!-~]+$/.test(apiKey))
    throw new TypeError("Cannot create the client: 'apiKey' must be printable ASCII without spaces")
  const resolved = { ...options, serverUrl: serverUrl.replace(/\/+$/, ''), fetch, timeoutMs, maxRetries }
  return Object.defineProperty(resolved, 'apiKey', { get: () => apiKey })
}

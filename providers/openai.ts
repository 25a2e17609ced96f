// OpenAI and every server that speaks its chat completions (Grok, Ollama, vLLM, DeepSeek, Mistral, …), on the `openai` package.
import { UrlRefused } from '../contracts/url-refused.ts'
import OpenAI, { APIConnectionError, APIError, APIUserAbortError } from 'openai'
import { kindOfStatus, parseRetryAfter, ProviderFailure, redact } from './failure.ts'
import { chunksOf } from './openai-body.ts'
import { kindOfReport } from './openai-errors.ts'
import { readChunks } from './openai-reader.ts'
import { toParams } from './openai-request.ts'
import { refusedTools } from './refused-tools.ts'
import type { Provider } from './provider.ts'

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

export interface OpenAIOptions {
  /** What to call it in failures and logs. */
  name: string
  api_key?: string | undefined
  base_url?: string | undefined
  /** Instead of the global one. */
  fetch?: Fetch | undefined
  /** Longest silence of the model before the call is given up, in milliseconds. */
  stall_ms: number
}

/** Servers without a key still want the header to be there. */
const NO_KEY = 'none'

export function openaiProvider(options: OpenAIOptions): Provider {
  // Temporal owns retrying.
  const client = new OpenAI({
    apiKey: options.api_key ?? NO_KEY,
    baseURL: options.base_url ?? null,
    maxRetries: 0,
    logLevel: 'off',
    ...(options.fetch && { fetch: toClientFetch(options.fetch) }),
  })
  return {
    name: options.name,
    async generate(request, onDelta, signal) {
      const stall = new StallTimer(options.stall_ms)
      try {
        const { params, warnings } = toParams(request)
        const closing = new AbortController()
        const either = AbortSignal.any([signal, stall.signal])
        const response = await client.chat.completions
          .create(params, { signal: AbortSignal.any([either, closing.signal]) })
          .asResponse()
        stall.restart()
        const result = await readChunks(watched(chunksOf(response, closing), stall, either), onDelta, options.name)
        return { ...result, warnings: [...warnings, ...result.warnings] }
      } catch (error) {
        signal.throwIfAborted()
        const names = request.tools.map(({ name }) => name)
        throw toFailure(error, options, stall.signal.aborted, names)
      } finally {
        stall.stop()
      }
    },
  }
}

function toClientFetch(fetch: Fetch): typeof globalThis.fetch {
  return (input, init) => fetch(input instanceof Request ? input.url : input, init)
}

/** The headers of a call besides its key. The client adds others from the environment: organization, project, OPENAI_CUSTOM_HEADERS. */
const OWN_HEADERS = ['accept', 'content-type', 'user-agent']

/** Longest answer to a refused call that is read, in bytes. */
const MAX_ERROR_BODY = 65_536

/** A fetch for servers that are not the operator's: nothing from the environment is sent to them, and no endless error is read. */
export function withoutEnvironment(fetch: Fetch, apiKey: string | undefined): Fetch {
  return async (url, init) => {
    const given = new Headers(init?.headers)
    const own = OWN_HEADERS.flatMap((name) => (given.has(name) ? [[name, given.get(name)!] as const] : []))
    const headers = { ...Object.fromEntries(own), authorization: `Bearer ${apiKey ?? NO_KEY}` }
    const response = await fetch(url, { ...init, headers })
    if (response.ok || response.body === null) return response
    return new Response(await readStart(response, MAX_ERROR_BODY), response)
  }
}

async function readStart({ body }: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= maxBytes) break
  }
  return Buffer.concat(chunks).subarray(0, maxBytes)
}

/** Restarts the timer with each chunk. @throws the reason when it was aborted: the client then ends a stream without an error */
async function* watched<T>(chunks: AsyncIterable<T>, stall: StallTimer, signal: AbortSignal): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    stall.restart()
    yield chunk
  }
  signal.throwIfAborted()
}

/** @param tools names of the offered tools, in their order */
export function toFailure(
  error: unknown,
  options: OpenAIOptions,
  stalled: boolean,
  tools: readonly string[] = [],
): ProviderFailure {
  const provider = options.name
  if (error instanceof ProviderFailure) return error
  if (stalled || error instanceof APIUserAbortError) {
    return new ProviderFailure('retry', `The model was silent for ${options.stall_ms} ms`, { provider, cause: error })
  }
  if (error instanceof APIConnectionError && error.cause instanceof UrlRefused) {
    return new ProviderFailure('final', `The model's address is refused: ${error.cause.message}`, {
      provider,
      cause: error.cause,
    })
  }
  if (error instanceof APIConnectionError) {
    return new ProviderFailure('retry', redact(`The model could not be reached: ${error.message}`, options.api_key), {
      provider,
      cause: error,
    })
  }
  if (error instanceof APIError) {
    const status = error.status as number | undefined
    return new ProviderFailure(
      status === undefined ? kindOfReport(error.error) : kindOfStatus(status),
      redact(error.message, options.api_key),
      {
        provider,
        status,
        request_id: error.requestID ?? undefined,
        refused_tools: refusedTools({ status, message: error.message, param: error.param, error: error.error }, tools),
        retryAfter: parseRetryAfter(error.headers?.get('retry-after')),
        // Not kept as the cause: it holds the whole answer, which may repeat the key, and loggers print causes.
      },
    )
  }
  // A connection that breaks mid-stream surfaces as whatever the runtime's fetch throws.
  const message = error instanceof Error ? error.message : String(error)
  return new ProviderFailure('unknown', redact(`The model's answer broke off: ${message}`, options.api_key), {
    provider,
    cause: error,
  })
}

/** Aborts when it was not restarted for so long. */
class StallTimer {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), ms)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  restart(): void {
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

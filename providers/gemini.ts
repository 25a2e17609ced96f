// Google's Gemini, on `@google/genai`. The client makes and sends the requests; the answers are read here, as those of the other
// vendors are: it would round long numbers, drop the headers of a refusal, and fail on chunks that it does not know.
import type { GoogleGenAI } from '@google/genai/web'
import { parseExact } from '../contracts/exact-json.ts'
import { isObject } from '../contracts/json.ts'
import { UnreachableError } from './call-failure.ts'
import { readContent } from './gemini-reader.ts'
import { toGeminiParams } from './gemini-request.ts'
import type { Fetch } from './outgoing.ts'
import type { Provider } from './provider.ts'
import { streamedCall, type AdapterOptions } from './streamed-call.ts'

/** The headers that hold a key. */
export function geminiKeyHeaders(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-goog-api-key': apiKey }
}

/** The client, loaded when it is first needed. The build for browsers has neither Google's sign-in nor settings of its own. */
export async function geminiSdk({
  api_key,
  base_url,
}: Pick<AdapterOptions, 'api_key' | 'base_url'>): Promise<GoogleGenAI> {
  const { GoogleGenAI: Client } = await import('@google/genai/web')
  return new Client({
    apiKey: api_key ?? 'none',
    // Reasoning and JSON Schema are not in v1.
    apiVersion: 'v1beta',
    ...(base_url !== undefined && { httpOptions: { baseUrl: base_url } }),
  })
}

export function geminiProvider(options: AdapterOptions): Provider {
  let client: Promise<GoogleGenAI> | undefined
  return {
    name: options.name,
    async generate(request, onDelta, signal) {
      client ??= geminiSdk(options)
      const { models } = await client
      const { params, warnings } = toGeminiParams(request)
      return streamedCall(options, request, signal, {
        send: (sending) =>
          answerOf(options.fetch ?? globalThis.fetch, sending, async (fetch) => {
            const config = { ...params.config, httpOptions: { fetch } }
            for await (const _ of await models.generateContentStream({ ...params, config }));
          }),
        read: (chunks) => readContent(chunks, onDelta, options.name),
        warnings,
      })
    },
  }
}

/**
 * The answer to the request that the client sends, unread; the client gets a placeholder in its place.
 * @throws RefusedAnswer of an answer that is no success
 */
export async function answerOf(
  fetch: Fetch,
  signal: AbortSignal,
  send: (fetch: typeof globalThis.fetch) => Promise<void>,
  placeholder = '',
): Promise<Response> {
  let answer: Response | undefined
  await send(async (input, init) => {
    try {
      answer = await fetch(input instanceof Request ? input.url : input, { ...init, signal })
    } catch (error) {
      if (signal.aborted) throw error
      throw new UnreachableError(error instanceof Error ? error.message : String(error), { cause: error })
    }
    return new Response(placeholder, { headers: { 'content-type': 'text/event-stream' } })
  })
  if (!answer) throw new Error('The client sent no request')
  if (!answer.ok) throw await RefusedAnswer.of(answer)
  return answer
}

/** An answer with a status that is no success, as the clients of other vendors throw it. */
class RefusedAnswer extends Error {
  override readonly name = 'RefusedAnswer'
  readonly status: number
  readonly headers: Headers
  readonly error: unknown

  private constructor({ status, headers }: Response, text: string, error: unknown) {
    const { message } = isObject(error) ? error : {}
    super(`${status} ${typeof message === 'string' ? message : text}`)
    this.status = status
    this.headers = headers
    this.error = error
  }

  static async of(response: Response): Promise<RefusedAnswer> {
    const text = await response.text().catch(() => '')
    let body: unknown
    try {
      ;[body] = [parseExact(text)].flat()
    } catch {
      body = undefined
    }
    return new RefusedAnswer(response, text, isObject(body) ? body['error'] : undefined)
  }
}

// OpenAI and every server that speaks its chat completions (Grok, Ollama, vLLM, DeepSeek, Mistral, …), on the `openai` package.
import type OpenAI from 'openai'
import { dialectOf } from './dialects.ts'
import { readChunks, type Chunk } from './openai-reader.ts'
import { toParams } from './openai-request.ts'
import { toClientFetch } from './outgoing.ts'
import type { Provider } from './provider.ts'
import { streamedCall, type AdapterOptions } from './streamed-call.ts'

/** Servers without a key still require the header. */
const NO_KEY = 'none'

/** The headers that hold a key. */
export function openaiKeyHeaders(apiKey: string | undefined): Record<string, string> {
  return { authorization: `Bearer ${apiKey ?? NO_KEY}` }
}

/** The client, loaded when it is first needed. */
export async function openaiSdk({
  api_key,
  base_url,
  fetch,
}: Omit<AdapterOptions, 'name' | 'stall_ms'>): Promise<OpenAI> {
  const { default: Client } = await import('openai')
  // Temporal owns retrying.
  return new Client({
    apiKey: api_key ?? NO_KEY,
    baseURL: base_url ?? null,
    maxRetries: 0,
    logLevel: 'off',
    ...(fetch && { fetch: toClientFetch(fetch) }),
  })
}

export function openaiProvider(options: AdapterOptions): Provider {
  const dialect = dialectOf(options.name, options.base_url)
  let client: Promise<OpenAI> | undefined
  return {
    name: options.name,
    async generate(request, onDelta, signal) {
      client ??= openaiSdk(options)
      const { chat } = await client
      const { params, warnings } = toParams(request, dialect)
      return streamedCall(options, request, signal, {
        send: (sending) => chat.completions.create(params, { signal: sending }).asResponse(),
        read: (chunks) => readChunks(chunks as AsyncIterable<Chunk>, onDelta, options.name),
        warnings,
      })
    },
  }
}

// Anthropic's messages, on `@anthropic-ai/sdk`.
import type Anthropic from '@anthropic-ai/sdk'
import { readMessage } from './anthropic-reader.ts'
import { toAnthropicParams } from './anthropic-request.ts'
import { toClientFetch } from './outgoing.ts'
import type { Provider } from './provider.ts'
import { streamedCall, type AdapterOptions } from './streamed-call.ts'

const LONGEST_MS = 3_600_000

/** The headers that hold a key: Anthropic's client sends the second one, servers like it take the first or the second. */
export function anthropicKeyHeaders(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-api-key': apiKey, authorization: `Bearer ${apiKey}` }
}

/** The client, loaded when it is first needed. */
async function load({ api_key, base_url, fetch }: AdapterOptions): Promise<Anthropic> {
  const { default: Client } = await import('@anthropic-ai/sdk')
  // Temporal owns retrying. Nothing but the settings says which key is sent.
  return new Client({
    apiKey: api_key ?? 'none',
    baseURL: base_url ?? 'https://api.anthropic.com',
    maxRetries: 0,
    logLevel: 'off',
    ...(fetch && { fetch: toClientFetch(fetch) }),
  })
}

export function anthropicProvider(options: AdapterOptions): Provider {
  let client: Promise<Anthropic> | undefined
  return {
    name: options.name,
    async generate(request, onDelta, signal) {
      client ??= load(options)
      const { messages } = await client
      const { params, warnings } = toAnthropicParams(request)
      return streamedCall(options, request, signal, {
        // The silence of the model is watched here, not the length of its answer.
        send: (sending) => messages.create(params, { signal: sending, timeout: LONGEST_MS }).asResponse(),
        read: (events) => readMessage(events, onDelta, options.name),
        warnings,
      })
    },
  }
}

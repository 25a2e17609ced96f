// The client for one-off requests in OpenAI's protocol: embeddings, transcriptions, speech.
import OpenAI from 'openai'
import { toFailure } from './openai.ts'

export interface OpenAIServer {
  api_key: string | undefined
  base_url: string | undefined
}

/** One request with a timeout in milliseconds. @throws ProviderFailure, or the signal's reason */
export type SendOnce = <T>(
  send: (client: OpenAI, signal: AbortSignal) => Promise<T>,
  timeout_ms: number,
  signal: AbortSignal,
) => Promise<T>

export function openaiClient({ api_key, base_url }: OpenAIServer): SendOnce {
  // Servers without a key still want the header to be there. Temporal owns retrying.
  const client = new OpenAI({ apiKey: api_key ?? 'none', baseURL: base_url ?? null, maxRetries: 0, logLevel: 'off' })
  return async (send, timeout_ms, signal) => {
    const timeout = AbortSignal.timeout(timeout_ms)
    try {
      return await send(client, AbortSignal.any([signal, timeout]))
    } catch (error) {
      signal.throwIfAborted()
      throw toFailure(error, { name: 'openai', api_key, base_url, stall_ms: timeout_ms }, timeout.aborted)
    }
  }
}

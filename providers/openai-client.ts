// The client for one-off requests in OpenAI's protocol: embeddings, transcriptions, speech.
import type OpenAI from 'openai'
import { toFailure } from './call-failure.ts'
import { openaiSdk } from './openai.ts'

export interface OpenAIServer {
  api_key: string | undefined
  base_url: string | undefined
  /** What to call it in failures; `openai` when left out. */
  name?: string
}

/** One request with a timeout in milliseconds. @throws ProviderFailure, or the signal's reason */
export type SendOnce = <T>(
  send: (client: OpenAI, signal: AbortSignal) => Promise<T>,
  timeout_ms: number,
  signal: AbortSignal,
) => Promise<T>

export function openaiClient({ api_key, base_url, name = 'openai' }: OpenAIServer): SendOnce {
  let client: Promise<OpenAI> | undefined
  return async (send, timeout_ms, signal) => {
    client ??= openaiSdk({ api_key, base_url })
    const timeout = AbortSignal.timeout(timeout_ms)
    try {
      return await send(await client, AbortSignal.any([signal, timeout]))
    } catch (error) {
      signal.throwIfAborted()
      throw toFailure(error, { name, api_key, stall_ms: timeout_ms }, timeout.aborted)
    }
  }
}

// Speech to text of Deepgram, by one request a piece.
import type { BilledAudio } from '../contracts/billed.ts'
import { kindOfStatus, parseRetryAfter, ProviderFailure, redact } from './failure.ts'
import type { Transcriber } from './transcriber.ts'

const DEFAULT_URL = 'https://api.deepgram.com/v1'
/** Longest time of one piece, in milliseconds. */
const TIMEOUT_MS = 120_000

interface Answered {
  /** In seconds. */
  metadata?: { duration?: number }
  results?: {
    channels?: { detected_language?: string; alternatives?: { transcript?: string }[] }[]
    utterances?: { start: number; end: number; transcript: string }[]
  }
}

export function deepgramTranscriber(options: {
  billed: BilledAudio
  api_key?: string
  base_url?: string
}): Transcriber {
  const { billed, api_key, base_url = DEFAULT_URL } = options
  const { provider, model } = billed
  return {
    name: `${provider}:${model}`,
    billed,
    async transcribe({ wav, language }, signal, count) {
      const query = new URLSearchParams({ model, smart_format: 'true', utterances: 'true' })
      if (language === undefined) query.set('detect_language', 'true')
      else query.set('language', language)
      try {
        const response = await fetch(`${base_url}/listen?${query}`, {
          method: 'POST',
          headers: { 'content-type': 'audio/wav', ...(api_key !== undefined && { authorization: `Token ${api_key}` }) },
          body: wav as Uint8Array<ArrayBuffer>,
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        })
        if (!response.ok) {
          throw new ProviderFailure(kindOfStatus(response.status), redact(await response.text(), api_key), {
            provider,
            status: response.status,
            request_id: response.headers.get('dg-request-id') ?? undefined,
            retryAfter: parseRetryAfter(response.headers.get('retry-after')),
          })
        }
        const { results, metadata } = (await response.json()) as Answered
        count?.(metadata?.duration === undefined ? undefined : { units: metadata.duration })
        const [channel] = results?.channels ?? []
        return {
          text: channel?.alternatives?.[0]?.transcript ?? '',
          language: channel?.detected_language ?? language,
          parts: (results?.utterances ?? []).map(({ start, end, transcript }) => ({
            from_ms: Math.round(start * 1_000),
            to_ms: Math.round(end * 1_000),
            text: transcript,
          })),
        }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof ProviderFailure) throw error
        const message = error instanceof Error ? error.message : String(error)
        throw new ProviderFailure('retry', redact(`Deepgram could not be reached: ${message}`, api_key), {
          provider,
          cause: error,
        })
      }
    },
  }
}

// Text to speech of OpenAI and of every server that speaks its `/audio/speech`, on the `openai` package.
import OpenAI from 'openai'
import { ProviderFailure } from './failure.ts'
import { toFailure } from './openai.ts'
import type { Speaker } from './speaker.ts'

/** Longest time of one text, in milliseconds. */
const TIMEOUT_MS = 120_000
/** Most of the answer, in bytes: 4096 characters of text make less. */
const MAX_BYTES = 64 * 2 ** 20

interface Options {
  model: string
  api_key: string | undefined
  base_url: string | undefined
}

export function openaiSpeaker({ model, api_key, base_url }: Options): Speaker {
  const client = new OpenAI({ apiKey: api_key ?? 'none', baseURL: base_url ?? null, maxRetries: 0, logLevel: 'off' })
  return {
    name: `openai:${model}`,
    async speak({ text, voice, format, speed, instructions }, signal) {
      const timeout = AbortSignal.timeout(TIMEOUT_MS)
      try {
        const response = await client.audio.speech.create(
          {
            model,
            input: text,
            voice,
            response_format: format,
            speed,
            ...(instructions !== undefined && { instructions }),
          },
          { signal: AbortSignal.any([signal, timeout]) },
        )
        return await readAll(response)
      } catch (error) {
        signal.throwIfAborted()
        throw toFailure(error, { name: 'openai', api_key, base_url, stall_ms: TIMEOUT_MS }, timeout.aborted)
      }
    },
  }
}

async function readAll(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > MAX_BYTES) throw new ProviderFailure('final', 'The spoken answer is too long', { provider: 'openai' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

// Text to speech of OpenAI and of every server that speaks its `/audio/speech`, on the `openai` package.
import type { BilledAudio } from '../contracts/billed.ts'
import { ProviderFailure } from './failure.ts'
import { openaiClient, type OpenAIServer } from './openai-client.ts'
import type { Speaker } from './speaker.ts'

/** Longest time of one text, in milliseconds. */
const TIMEOUT_MS = 120_000
/** Most of the answer, in bytes: 4096 characters of text make less. */
const MAX_BYTES = 64 * 2 ** 20

interface Options extends OpenAIServer {
  billed: BilledAudio
}

export function openaiSpeaker({ billed, api_key, base_url }: Options): Speaker {
  const { provider, model } = billed
  const sendOnce = openaiClient({ api_key, base_url })
  return {
    name: `${provider}:${model}`,
    billed,
    async speak({ text, voice, format, speed, instructions }, signal, count) {
      const body = {
        model,
        input: text,
        voice,
        response_format: format,
        speed,
        ...(instructions !== undefined && { instructions }),
      }
      return sendOnce(
        async (client, either) => {
          const response = await client.audio.speech.create(body, { signal: either })
          // The answer is the sound alone: its tokens are not known.
          count?.({ units: text.length })
          return readAll(response)
        },
        TIMEOUT_MS,
        signal,
      )
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

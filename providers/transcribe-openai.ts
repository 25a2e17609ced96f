// Speech to text of OpenAI and of every server that speaks its `/audio/transcriptions`, on the `openai` package.
import type { BilledAudio, Used } from '../contracts/billed.ts'
import { isObject } from '../contracts/json.ts'
import { returnsTimes } from './catalog.ts'
import { openaiClient, type OpenAIServer } from './openai-client.ts'
import type { Transcriber, Transcript } from './transcriber.ts'

/** Longest time of one piece, in milliseconds: a server without a graphics card takes its time. */
const TIMEOUT_MS = 600_000
/** Whisper invents words in noise; above this probability there is no speech. */
const NO_SPEECH = 0.6

interface Options extends OpenAIServer {
  billed: BilledAudio
}

export function openaiTranscriber({ billed, api_key, base_url }: Options): Transcriber {
  const { provider, model } = billed
  const sendOnce = openaiClient({ api_key, base_url })
  const timed = returnsTimes(model)
  return {
    name: `${provider}:${model}`,
    billed,
    async transcribe({ wav, language }, signal, count) {
      const body = {
        model,
        file: new File([wav as Uint8Array<ArrayBuffer>], 'sound.wav', { type: 'audio/wav' }),
        response_format: timed ? ('verbose_json' as const) : ('json' as const),
        ...(language !== undefined && { language }),
      }
      return sendOnce(
        async (client, either) => {
          const answer: unknown = await client.audio.transcriptions.create(body, { signal: either })
          count?.(readUsage(answer))
          return readTranscript(answer)
        },
        TIMEOUT_MS,
        signal,
      )
    },
  }
}

interface Answered {
  text?: string
  language?: string
  segments?: { start: number; end: number; text: string; no_speech_prob?: number }[]
  /** Tokens, or the seconds that are billed. */
  usage?: Partial<{
    input_tokens: number
    output_tokens: number
    input_token_details: { audio_tokens?: number }
    seconds: number
  }>
}

function readUsage(answer: unknown): Partial<Used> | undefined {
  const usage = isObject(answer) ? (answer as Answered).usage : undefined
  if (!isObject(usage)) return undefined
  const { input_tokens, output_tokens, input_token_details, seconds } = usage
  // No text is sent with the sound.
  const audio_tokens = input_token_details?.audio_tokens ?? input_tokens
  return {
    ...(input_tokens !== undefined && { input_tokens }),
    ...(output_tokens !== undefined && { output_tokens }),
    ...(audio_tokens !== undefined && { audio_tokens }),
    ...(seconds !== undefined && { units: seconds }),
  }
}

/** What such a server answers, as leniently as they differ. */
export function readTranscript(answer: unknown): Transcript {
  const { text = '', language, segments } = (typeof answer === 'string' ? { text: answer } : answer) as Answered
  const spoken = segments?.filter(({ no_speech_prob = 0 }) => no_speech_prob <= NO_SPEECH)
  const parts = (spoken ?? []).map((each) => ({
    from_ms: Math.round(each.start * 1_000),
    to_ms: Math.round(each.end * 1_000),
    text: each.text.trim(),
  }))
  const whole = spoken && segments && spoken.length < segments.length ? parts.map((part) => part.text).join(' ') : text
  return { text: whole.trim(), language, parts }
}

// Speech to text of OpenAI and of every server that speaks its `/audio/transcriptions`, on the `openai` package.
import OpenAI, { toFile } from 'openai'
import { returnsTimes } from './catalog.ts'
import { toFailure } from './openai.ts'
import type { Transcriber, Transcript } from './transcriber.ts'

/** Longest time of one piece, in milliseconds: a server without a graphics card takes its time. */
const TIMEOUT_MS = 600_000
/** Whisper invents words in noise; above this probability there is no speech. */
const NO_SPEECH = 0.6

interface Options {
  model: string
  api_key: string | undefined
  base_url: string | undefined
}

export function openaiTranscriber({ model, api_key, base_url }: Options): Transcriber {
  const client = new OpenAI({ apiKey: api_key ?? 'none', baseURL: base_url ?? null, maxRetries: 0, logLevel: 'off' })
  const timed = returnsTimes(model)
  return {
    name: `openai:${model}`,
    async transcribe({ wav, language }, signal) {
      const timeout = AbortSignal.timeout(TIMEOUT_MS)
      try {
        const answer: unknown = await client.audio.transcriptions.create(
          {
            model,
            file: await toFile(wav, 'sound.wav', { type: 'audio/wav' }),
            response_format: timed ? 'verbose_json' : 'json',
            ...(language !== undefined && { language }),
          },
          { signal: AbortSignal.any([signal, timeout]) },
        )
        return readTranscript(answer)
      } catch (error) {
        signal.throwIfAborted()
        throw toFailure(error, { name: 'openai', api_key, base_url, stall_ms: TIMEOUT_MS }, timeout.aborted)
      }
    },
  }
}

interface Answered {
  text?: string
  language?: string
  segments?: { start: number; end: number; text: string; no_speech_prob?: number }[]
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
  const said = spoken && segments && spoken.length < segments.length ? parts.map((part) => part.text).join(' ') : text
  return { text: said.trim(), language, parts }
}

// Speech to text of OpenAI and of every server that speaks its `/audio/transcriptions`, on the `openai` package.
import { returnsTimes } from './catalog.ts'
import { openaiClient, type OpenAIServer } from './openai-client.ts'
import type { Transcriber, Transcript } from './transcriber.ts'

/** Longest time of one piece, in milliseconds: a server without a graphics card takes its time. */
const TIMEOUT_MS = 600_000
/** Whisper invents words in noise; above this probability there is no speech. */
const NO_SPEECH = 0.6

interface Options extends OpenAIServer {
  model: string
}

export function openaiTranscriber({ model, api_key, base_url }: Options): Transcriber {
  const sendOnce = openaiClient({ api_key, base_url })
  const timed = returnsTimes(model)
  return {
    name: `openai:${model}`,
    async transcribe({ wav, language }, signal) {
      const body = {
        model,
        file: new File([wav as Uint8Array<ArrayBuffer>], 'sound.wav', { type: 'audio/wav' }),
        response_format: timed ? ('verbose_json' as const) : ('json' as const),
        ...(language !== undefined && { language }),
      }
      return sendOnce(
        async (client, either) => readTranscript(await client.audio.transcriptions.create(body, { signal: either })),
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

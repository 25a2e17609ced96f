// Chooses the transcriber by a setting, or finds one: OpenAI, Deepgram, or a local server.
import type { ProvidersSettings } from '../contracts/model-check.ts'
import { DEFAULT_MODELS } from './catalog.ts'
import { deepgramTranscriber } from './transcribe-deepgram.ts'
import { findLocalTranscriber } from './transcribe-local.ts'
import { openaiTranscriber } from './transcribe-openai.ts'
import type { Transcriber } from './transcriber.ts'

export interface TranscriberOptions {
  providers: Pick<ProvidersSettings, 'openai'>
  deepgram: { api_key?: string; base_url?: string }
  /** `none`, `local`, `openai:<model>`, `deepgram:<model>` or the address of a compatible server, perhaps with `#<model>`. */
  choice?: string | undefined
}

/** How long a server that was found is not looked for again, in milliseconds. */
const FOUND_MS = 60_000

/** Asks `findTranscriber` now and then: a server may be started, or gone, later. */
export function transcriberFinder(options: TranscriberOptions): () => Promise<Transcriber | undefined> {
  let known: { until: number; transcriber: Transcriber } | undefined
  return async () => {
    if (known && Date.now() < known.until) return known.transcriber
    const transcriber = await findTranscriber(options)
    known = transcriber && { until: Date.now() + FOUND_MS, transcriber }
    return transcriber
  }
}

/**
 * Finds who transcribes. Without a choice: OpenAI when its key is set and no other server is (which may well serve chat only),
 * then Deepgram, then a server on this machine.
 * @returns undefined when there is none
 */
export async function findTranscriber(options: TranscriberOptions): Promise<Transcriber | undefined> {
  const { choice } = options
  const { api_key, base_url } = options.providers.openai
  if (choice === 'none') return undefined
  if (choice === 'local') return findLocalTranscriber()
  const [, vendor, model] = /^(openai|deepgram):(.+)$/.exec(choice ?? '') ?? []
  if (vendor === 'openai') return openaiTranscriber({ model: model!, api_key, base_url })
  if (vendor === 'deepgram') return deepgramTranscriber({ model: model!, ...options.deepgram })
  if (choice !== undefined) {
    const [address, named = DEFAULT_MODELS.openai.transcription] = choice.split('#')
    return openaiTranscriber({ model: named, api_key: undefined, base_url: address })
  }
  if (api_key !== undefined && base_url === undefined)
    return openaiTranscriber({ model: DEFAULT_MODELS.openai.transcription, api_key, base_url })
  if (options.deepgram.api_key !== undefined)
    return deepgramTranscriber({ model: DEFAULT_MODELS.deepgram.transcription, ...options.deepgram })
  return findLocalTranscriber()
}

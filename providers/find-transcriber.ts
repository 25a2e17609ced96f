// Chooses the transcriber by a setting, or finds one: OpenAI, Deepgram, or a local server.
import type { ProvidersSettings } from '../contracts/model-check.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import { billedTranscription } from './billed-model.ts'
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
  /** What the operator says of prices. */
  own: OwnModels
}

/** The provider of a server that is chosen by its address or found on this machine, in usage rows. */
const COMPATIBLE = 'compatible'

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
  const { choice, own } = options
  const { api_key, base_url } = options.providers.openai
  if (choice === 'none') return undefined
  if (choice === 'local') return findLocalTranscriber(compatible)
  const [, vendor, named] = /^(openai|deepgram):(.+)$/.exec(choice ?? '') ?? []
  if (vendor === 'openai') return openai(named!)
  if (vendor === 'deepgram') return deepgram(named!)
  if (choice !== undefined) {
    const [address, model = DEFAULT_MODELS.openai.transcription] = choice.split('#')
    return openaiTranscriber({ billed: compatible(model, address), api_key: undefined, base_url: address })
  }
  if (api_key !== undefined && base_url === undefined) return openai(DEFAULT_MODELS.openai.transcription)
  if (options.deepgram.api_key !== undefined) return deepgram(DEFAULT_MODELS.deepgram.transcription)
  return findLocalTranscriber(compatible)

  function openai(model: string): Transcriber {
    return openaiTranscriber({
      billed: billedTranscription({ provider: 'openai', model }, base_url, own),
      api_key,
      base_url,
    })
  }

  function deepgram(model: string): Transcriber {
    const ref = { provider: 'deepgram', model }
    return deepgramTranscriber({
      ...options.deepgram,
      billed: billedTranscription(ref, options.deepgram.base_url, own),
    })
  }

  function compatible(model: string, address: string | undefined) {
    return billedTranscription({ provider: COMPATIBLE, model }, address, own)
  }
}

// What requests that are no chats cost, by their model.
import type { Billed, BilledAudio } from '../contracts/billed.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import type { ModelRef } from '../contracts/turn.ts'
import { factsOf } from './catalog.ts'

/** A model of embeddings. @param address the `base_url` that the model is called at, when it is not the provider's own */
export function billedModel(ref: ModelRef, address: string | undefined, own: OwnModels): Billed {
  const { costOf } = factsOf(ref, address, own)
  return {
    ...ref,
    counted: 'tokens',
    costOf: ({ input_tokens, output_tokens = 0 }) => costOf({ input_tokens, output_tokens }),
  }
}

/** Tokens of models that are billed by tokens: OpenAI's prices of a minute divided by those of tokens (November 2026). */
const SOUND_TOKENS_A_SECOND = 10
const TEXT_TOKENS_A_SECOND = 4
const SPOKEN_TOKENS_A_CHARACTER = 1.4
const CHARACTERS_A_TOKEN = 4

/** A model that transcribes: billed by seconds of sound, or by tokens where its price is one of tokens. */
export function billedTranscription(ref: ModelRef, address: string | undefined, own: OwnModels): BilledAudio {
  const { costOf, priced_by_tokens } = factsOf(ref, address, own)
  return {
    ...ref,
    counted: priced_by_tokens ? 'tokens' : 'units',
    costOf: ({ units, output_tokens = 0, ...tokens }) => costOf({ ...tokens, output_tokens, audio_seconds: units }),
    estimate(seconds) {
      const audio_tokens = Math.ceil(seconds * SOUND_TOKENS_A_SECOND)
      const output_tokens = Math.ceil(seconds * TEXT_TOKENS_A_SECOND)
      const tokens = priced_by_tokens
        ? { input_tokens: audio_tokens, audio_tokens, output_tokens }
        : { input_tokens: 0 }
      return { ...tokens, units: seconds }
    },
  }
}

/** A model that speaks: billed by characters of text, or by tokens where its price is one of tokens. */
export function billedSpeech(ref: ModelRef, address: string | undefined, own: OwnModels): BilledAudio {
  const { costOf, priced_by_tokens } = factsOf(ref, address, own)
  return {
    ...ref,
    counted: priced_by_tokens ? 'tokens' : 'units',
    costOf: ({ units, input_tokens, output_tokens = 0 }) => costOf({ input_tokens, output_tokens, characters: units }),
    estimate(characters) {
      const input_tokens = Math.ceil(characters / CHARACTERS_A_TOKEN)
      const output_tokens = Math.ceil(characters * SPOKEN_TOKENS_A_CHARACTER)
      return { ...(priced_by_tokens ? { input_tokens, output_tokens } : { input_tokens: 0 }), units: characters }
    },
  }
}

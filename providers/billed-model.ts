// What requests that are no chats cost, by their model.
import type { Billed } from '../contracts/billed.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import type { ModelRef } from '../contracts/turn.ts'
import { factsOf } from './catalog.ts'

/** @param address the `base_url` that the model is called at, when it is not the provider's own */
export function billedModel(ref: ModelRef, address: string | undefined, own: OwnModels): Billed {
  const { costOf } = factsOf(ref, address, own)
  return {
    provider: ref.provider,
    model: ref.model,
    costOf: ({ input_tokens, output_tokens = 0 }) => costOf({ input_tokens, output_tokens }),
  }
}

// Embeddings of OpenAI and of every server that speaks its `/embeddings`, on the `openai` package.
import type { Billed, Count } from '../contracts/billed.ts'
import type { Embedder } from './embedder.ts'
import { ProviderFailure } from './failure.ts'
import { openaiClient, type OpenAIServer } from './openai-client.ts'
import { checkDimension, embedInBatches, normalize } from './embedder-vectors.ts'

/** Texts in one request; OpenAI takes 2048 and 300,000 tokens, small servers less. */
const TEXTS_A_REQUEST = 64
/** Longest time of one request, in milliseconds. */
const TIMEOUT_MS = 60_000

export interface OpenAIEmbedderOptions extends OpenAIServer {
  model: string
  dimension: number
  /** Ask the model for the dimension; others have the one they have. */
  shorten: boolean
  billed: Billed
}

export function openaiEmbedder(options: OpenAIEmbedderOptions): Embedder {
  const { name = 'openai', model, dimension, shorten, billed } = options
  const sendOnce = openaiClient(options)
  const request = (input: string[], signal: AbortSignal, count?: Count): Promise<Float32Array[]> => {
    const body = { model, input, encoding_format: 'float' as const, ...(shorten && { dimensions: dimension }) }
    return sendOnce(
      async (client, either) => {
        const { data, usage } = await client.embeddings.create(body, { signal: either })
        // Compatible servers may leave it out.
        const input_tokens = (usage as typeof usage | undefined)?.prompt_tokens
        count?.(input_tokens === undefined ? undefined : { input_tokens })
        return toVectors(data, input.length, dimension, name)
      },
      TIMEOUT_MS,
      signal,
    )
  }
  return {
    model: `${name}:${model}@${dimension}`,
    dimension,
    isCostly: true,
    billed,
    embed: (texts, signal, _, count) =>
      embedInBatches(texts, TEXTS_A_REQUEST, (batch) => request(batch, signal, count)),
  }
}

function toVectors(
  data: { index: number; embedding: number[] }[],
  wanted: number,
  dimension: number,
  provider: string,
): Float32Array[] {
  const vectors = Array.from<Float32Array | undefined>({ length: wanted })
  for (const [place, { index, embedding }] of (data ?? []).entries()) {
    checkDimension(embedding, dimension, provider)
    vectors[index ?? place] = normalize(Float32Array.from(embedding))
  }
  if (vectors.length !== wanted || vectors.includes(undefined))
    throw new ProviderFailure('retry', 'The model left out vectors that it was asked for', { provider })
  return vectors as Float32Array[]
}

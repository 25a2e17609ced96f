// Embeddings of OpenAI and of every server that speaks its `/embeddings`, on the `openai` package.
import OpenAI from 'openai'
import type { Embedder } from './embedder.ts'
import { ProviderFailure } from './failure.ts'
import { toFailure } from './openai.ts'
import { normalize } from './embedder-vectors.ts'

/** Texts in one request; OpenAI takes 2048 and 300,000 tokens, small servers less. */
const TEXTS_A_REQUEST = 64
/** Longest time of one request, in milliseconds. */
const TIMEOUT_MS = 60_000

export interface OpenAIEmbedderOptions {
  model: string
  dimension: number
  /** Ask the model for the dimension; others have the one they have. */
  shorten: boolean
  api_key: string | undefined
  base_url: string | undefined
}

export function openaiEmbedder(options: OpenAIEmbedderOptions): Embedder {
  const { model, dimension, shorten, api_key, base_url } = options
  // Servers without a key still want the header to be there. Temporal owns retrying.
  const client = new OpenAI({ apiKey: api_key ?? 'none', baseURL: base_url ?? null, maxRetries: 0, logLevel: 'off' })
  const request = async (input: string[], signal: AbortSignal): Promise<Float32Array[]> => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    try {
      const { data } = await client.embeddings.create(
        { model, input, encoding_format: 'float', ...(shorten && { dimensions: dimension }) },
        { signal: AbortSignal.any([signal, timeout]) },
      )
      return toVectors(data, input.length, dimension)
    } catch (error) {
      signal.throwIfAborted()
      throw toFailure(error, { name: 'openai', api_key, base_url, stall_ms: TIMEOUT_MS }, timeout.aborted)
    }
  }
  return {
    model: `openai:${model}@${dimension}`,
    dimension,
    isRemote: true,
    async embed(texts, signal) {
      const vectors: Float32Array[] = []
      for (let start = 0; start < texts.length; start += TEXTS_A_REQUEST) {
        // An empty text is refused by the vendor.
        const batch = texts.slice(start, start + TEXTS_A_REQUEST).map((text) => (text.trim() === '' ? '-' : text))
        vectors.push(...(await request(batch, signal)))
      }
      return vectors
    },
  }
}

function toVectors(data: { index: number; embedding: number[] }[], wanted: number, dimension: number): Float32Array[] {
  const vectors = Array.from<Float32Array | undefined>({ length: wanted })
  for (const [place, { index, embedding }] of (data ?? []).entries()) {
    if (embedding.length !== dimension)
      throw new ProviderFailure(
        'final',
        `The model's vectors have ${embedding.length} dimensions; ${dimension} are configured`,
        {
          provider: 'openai',
        },
      )
    vectors[index ?? place] = normalize(Float32Array.from(embedding))
  }
  if (vectors.length !== wanted || vectors.includes(undefined))
    throw new ProviderFailure('retry', 'The model left out vectors that it was asked for', { provider: 'openai' })
  return vectors as Float32Array[]
}

// Embeddings of Gemini, on `@google/genai`.
import type { GoogleGenAI } from '@google/genai/web'
import { isObject } from '../contracts/json.ts'
import { toFailure } from './call-failure.ts'
import type { Billed, Count } from '../contracts/billed.ts'
import type { Embedder } from './embedder.ts'
import { checkDimension, embedInBatches, normalize } from './embedder-vectors.ts'
import { ProviderFailure } from './failure.ts'
import { answerOf, geminiSdk } from './gemini.ts'

/** Texts in one request, of at most 100. */
const TEXTS_A_REQUEST = 64
/** Longest time of one request, in milliseconds. */
const TIMEOUT_MS = 60_000

export interface GeminiEmbedderOptions {
  model: string
  dimension: number
  api_key: string | undefined
  base_url: string | undefined
  billed: Billed
}

export function geminiEmbedder({ model, dimension, api_key, base_url, billed }: GeminiEmbedderOptions): Embedder {
  let client: Promise<GoogleGenAI> | undefined
  const request = async (texts: string[], signal: AbortSignal, count?: Count): Promise<Float32Array[]> => {
    client ??= geminiSdk({ api_key, base_url })
    const { models } = await client
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    try {
      const contents = texts.map((text) => ({ parts: [{ text }] }))
      const response = await answerOf(
        globalThis.fetch,
        AbortSignal.any([signal, timeout]),
        async (fetch) => {
          const config = { outputDimensionality: dimension, httpOptions: { fetch } }
          await models.embedContent({ model, contents, config })
        },
        '{}',
      )
      const body: unknown = await response.json()
      // It counts none of its tokens.
      count?.(undefined)
      return toVectors(body, texts.length, dimension)
    } catch (error) {
      signal.throwIfAborted()
      throw toFailure(error, { name: 'gemini', api_key, stall_ms: TIMEOUT_MS }, timeout.aborted)
    }
  }
  return {
    model: `gemini:${model}@${dimension}`,
    dimension,
    isCostly: true,
    billed,
    embed: (texts, signal, _, count) =>
      embedInBatches(texts, TEXTS_A_REQUEST, (batch) => request(batch, signal, count)),
  }
}

function toVectors(body: unknown, wanted: number, dimension: number): Float32Array[] {
  const given = isObject(body) ? (body['embeddings'] ?? body['embedding']) : undefined
  const vectors = [given ?? []].flat().map((each: unknown) => (isObject(each) ? (each['values'] as number[]) : []))
  if (vectors.length !== wanted)
    throw new ProviderFailure('retry', 'The model left out vectors that it was asked for', { provider: 'gemini' })
  for (const vector of vectors) checkDimension(vector, dimension, 'gemini')
  return vectors.map((vector) => normalize(Float32Array.from(vector)))
}

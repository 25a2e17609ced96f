// What turns text into vectors, and which one it is: a provider's model or the local one.
import type { ProvidersSettings } from '../contracts/model-check.ts'

export interface Embedder {
  /** Names the vector space, e.g. `hashing-384`: vectors of two models are never compared. */
  readonly model: string
  readonly dimension: number
  /**
   * One vector of length 1 for each text, in order; never retries by itself.
   * @throws ProviderFailure, or the signal's reason
   */
  embed(texts: string[], signal: AbortSignal): Promise<Float32Array[]>
}

/**
 * @param choice `local` or `openai:<model>`; without it OpenAI when its key is set and no other server is, else local
 */
export function createEmbedder(_providers: Pick<ProvidersSettings, 'openai'>, _choice?: string): Embedder {
  throw new Error('not yet')
}

// The interface of embedders: text into vectors.
import type { Billed, Count } from '../contracts/billed.ts'

export interface Embedder {
  /** Names the vector space, e.g. `hashing-384`: vectors of two models are never compared. */
  readonly model: string
  readonly dimension: number
  /** Its vectors are kept in the database: they cost more than reading them. */
  readonly isCostly: boolean
  /** Questions are embedded apart from passages: ahead of them, and perhaps with another vector. */
  readonly separatesQuestions?: boolean
  /** How much a ranking of messages by its vectors counts beside one by their words; 1 when left out. */
  readonly message_weight?: number
  /** Left out where its requests are not paid for. */
  readonly billed?: Billed
  /**
   * One vector of length 1 for each text, in order; never retries by itself.
   * @param count is called with the tokens of each answer, as its server counts them
   * @throws ProviderFailure, or the signal's reason
   */
  embed(texts: string[], signal: AbortSignal, use?: EmbeddingUse, count?: Count): Promise<Float32Array[]>
  /** Frees what it holds: called once, when the process stops. */
  close?(): Promise<void>
}

/** What the vectors are for; passages when left out. */
export type EmbeddingUse = 'question' | 'passage'

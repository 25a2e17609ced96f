// The interface of embedders: text into vectors.

export interface Embedder {
  /** Names the vector space, e.g. `hashing-384`: vectors of two models are never compared. */
  readonly model: string
  readonly dimension: number
  /** Asked of a server, and paid for: its vectors are worth keeping. */
  readonly isRemote: boolean
  /** How much a ranking of messages by its vectors counts beside one by their words; 1 when left out. */
  readonly message_weight?: number
  /**
   * One vector of length 1 for each text, in order; never retries by itself.
   * @throws ProviderFailure, or the signal's reason
   */
  embed(texts: string[], signal: AbortSignal): Promise<Float32Array[]>
}

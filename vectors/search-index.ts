// The index with the embedder that its vectors are made with, which need not be the configured one: a search never compares
// vectors of two models.
import { VectorsMismatch, type ServingModel, type VectorModel, type VectorStore } from './store.ts'

/** Turns texts into vectors. */
export interface IndexEmbedder {
  /** Names the vector space. */
  readonly model: string
  readonly dimension: number
  readonly isRemote: boolean
  readonly message_weight?: number
  embed(texts: string[], signal: AbortSignal): Promise<Float32Array[]>
}

export interface Embedders {
  /** Of the settings: new indexes are made with it. */
  readonly configured: IndexEmbedder
  /** Undefined when it cannot be asked: of another vendor without a key, or not known. */
  find(model: string): IndexEmbedder | undefined
}

/** What serves at this moment. */
export interface ServingEmbedder {
  collection: string
  /** Of the index; one of zero vectors, which find by words only, where its model cannot be asked. */
  embedder: IndexEmbedder
  hasVectors: boolean
}

/** A change of the model is rare; two within one search are none. */
const ATTEMPTS = 3

export class SearchIndex {
  readonly vectors: VectorStore
  readonly embedders: Embedders

  constructor(vectors: VectorStore, embedders: Embedders) {
    this.vectors = vectors
    this.embedders = embedders
  }

  async serving(): Promise<ServingEmbedder> {
    const served = await this.vectors.serving(this.embedders.configured)
    const found = this.#find(served)
    return { collection: served.collection, embedder: found ?? wordsOnly(served), hasVectors: found !== undefined }
  }

  /** Does work with what serves; again when the model was changed meanwhile. */
  async use<T>(work: (serving: ServingEmbedder) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(await this.serving())
      } catch (error) {
        if (!(error instanceof VectorsMismatch) || attempt === ATTEMPTS) throw error
      }
    }
  }

  #find({ model, dimension }: ServingModel): IndexEmbedder | undefined {
    const { configured } = this.embedders
    const found = configured.model === model ? configured : this.embedders.find(model)
    return found?.dimension === dimension ? found : undefined
  }
}

function wordsOnly({ model, dimension }: VectorModel): IndexEmbedder {
  return {
    model,
    dimension,
    isRemote: false,
    embed: (texts) => Promise.resolve(texts.map(() => new Float32Array(dimension))),
  }
}

// The index with the embedder that its vectors are made with, which need not be the configured one: a search never compares
// vectors of two models.
import type { Billed, Count } from '../contracts/billed.ts'
import { VectorsMismatch, type ServingModel, type VectorModel, type VectorStore } from './store.ts'

/** Turns texts into vectors. */
export interface IndexEmbedder {
  /** Names the vector space. */
  readonly model: string
  readonly dimension: number
  /** Its vectors are kept in the database: they cost more than reading them. */
  readonly isCostly: boolean
  /** Questions are embedded apart from passages. */
  readonly separatesQuestions?: boolean
  readonly message_weight?: number
  /** Left out where its requests are not paid for. */
  readonly billed?: Billed
  /** @param count is called with the tokens of each answer, as its server counts them */
  embed(texts: string[], signal: AbortSignal, use?: 'question', count?: Count): Promise<Float32Array[]>
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
  /** Of the index; one of zero vectors where its model cannot be asked: then search is full text only. */
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

  /** What serves, as this process knows it: the store refuses it when it was changed since. */
  async serving(): Promise<ServingEmbedder> {
    return this.#withEmbedder(await this.vectors.serving(this.embedders.configured))
  }

  /** The same as the database has it. */
  async servingNow(): Promise<ServingEmbedder> {
    return this.#withEmbedder(await this.vectors.servingNow(this.embedders.configured))
  }

  #withEmbedder(served: ServingModel): ServingEmbedder {
    const found = this.embedderOf(served.model)
    return {
      collection: served.collection,
      ...(found?.dimension === served.dimension
        ? { embedder: found, hasVectors: true }
        : { embedder: wordsOnly(served), hasVectors: false }),
    }
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

  /** Undefined when the model cannot be asked. */
  embedderOf(model: string): IndexEmbedder | undefined {
    const { configured } = this.embedders
    return configured.model === model ? configured : this.embedders.find(model)
  }
}

function wordsOnly({ model, dimension }: VectorModel): IndexEmbedder {
  return {
    model,
    dimension,
    isCostly: false,
    embed: (texts) => Promise.resolve(texts.map(() => new Float32Array(dimension))),
  }
}

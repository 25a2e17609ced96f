// The interface of the vector index in the main or another database: chunks, hidden until their generation is published.

/** What vectors are made with: those of two models are never compared. */
export interface VectorModel {
  model: string
  dimension: number
}

/** What the vectors of the index are made with. */
export interface ServingModel extends VectorModel {
  /** Of new chunks; stays the same when the model changes. */
  collection: string
}

/** The generation that a run of an ingestion writes. */
export interface DocumentGeneration {
  /** That embedded its chunks. */
  model: string
  agent_id: string
  /** Empty for an agent's knowledge, otherwise the only conversation that may read it. */
  scope: string
  document_id: string
  generation: number
  knowledge_id?: string | undefined
}

export interface VectorChunk {
  text: string
  page: number
  heading?: string | undefined
  /** Unique within the generation. */
  position: number
  vector: Float32Array
}

export interface VectorQuery {
  /** That embedded the text. */
  model: string
  agent_id: string
  scopes: string[]
  text: string
  vector: Float32Array
  top_k: number
  /** How much the ranking by vectors counts beside the one by full text; 1 when left out. */
  vector_weight?: number
  knowledge_id?: string | undefined
}

export interface Hit {
  content: string
  /** Cosine similarity, from 0 (unrelated) to 1 (identical). */
  similarity: number
  document_id: string
  knowledge_id?: string
  page: number
  heading?: string
  /** Fused rank; higher is better, comparable only within one search. */
  score: number
}

/** Vectors of another model or dimension than the index has: perhaps it was changed meanwhile. */
export class VectorsMismatch extends Error {
  override readonly name = 'VectorsMismatch'

  constructor(what: string, has: VectorModel, got: VectorModel) {
    super(
      `Cannot ${what}: 'vector' must be of '${has.model}' (${has.dimension} dimensions), got one of '${got.model}' (${got.dimension})`,
    )
  }
}

export interface VectorStore {
  /** What the index is made with, as this process knows it. A new or empty index takes the given model. */
  serving(configured: VectorModel): Promise<ServingModel>
  /** The same as the database has it. */
  servingNow(configured: VectorModel): Promise<ServingModel>
  /** Adds hidden chunks; existing ones (by document, generation, position) are unchanged. @throws VectorsMismatch, or the signal's reason */
  addChunks(document: DocumentGeneration, chunks: VectorChunk[], signal?: AbortSignal): Promise<void>
  /** Publishes a generation in place of the previous one, whose chunks are then deleted. */
  publish(documentId: string, generation: number): Promise<void>
  /** Deletes one generation of a document, or the whole document. */
  discard(documentId: string, generation?: number): Promise<void>
  /** Hybrid search by vectors and full text, in published generations only. @throws VectorsMismatch, also when the model was changed meanwhile */
  search(query: VectorQuery): Promise<Hit[]>
}

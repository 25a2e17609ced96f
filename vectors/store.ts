// The interface of every vector database: collections of chunks, hidden until their generation is published.

export interface CollectionSpec {
  id: string
  model: string
  dimension: number
}

/** The generation that a run of an ingestion writes. */
export interface DocumentGeneration {
  collection: string
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
  collection: string
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

export interface VectorStore {
  /** Creates the collection once. @throws Error when it holds vectors of another model or dimension */
  ensureCollection(collection: CollectionSpec): Promise<void>
  /** Adds hidden chunks; existing ones (by document, generation, position) are unchanged. */
  addChunks(document: DocumentGeneration, chunks: VectorChunk[]): Promise<void>
  /** Publishes a generation in place of the previous one, whose chunks are then deleted. */
  publish(documentId: string, generation: number): Promise<void>
  /** Deletes one generation of a document, or the whole document. */
  discard(documentId: string, generation?: number): Promise<void>
  /** Hybrid search by vectors and full text, in published generations only. */
  search(query: VectorQuery): Promise<Hit[]>
}

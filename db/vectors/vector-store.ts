// What every vector database looks like from inside: collections of chunks, hidden until their generation is published.

export interface CollectionSpec {
  id: string
  model: string
  dimension: number
}

/** Which chunks a run of an ingestion writes. */
export interface DocumentGeneration {
  collection: string
  agent_id: string
  /** Empty for an agent's knowledge, else the conversation that alone may see it. */
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
  knowledge_id?: string | undefined
}

export interface Hit {
  content: string
  /** Of the vectors, from 0 (nothing in common) to 1 (the same). */
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
  /** Adds chunks that nobody sees yet; those already there (by document, generation, position) are left as they are. */
  addChunks(document: DocumentGeneration, chunks: VectorChunk[]): Promise<void>
  /** Shows a generation in place of the one shown so far, whose chunks are then removed. */
  publish(documentId: string, generation: number): Promise<void>
  /** Removes one generation of a document, or all of it. */
  discard(documentId: string, generation?: number): Promise<void>
  /** The best passages by meaning and by words, of published generations only. */
  search(query: VectorQuery): Promise<Hit[]>
}

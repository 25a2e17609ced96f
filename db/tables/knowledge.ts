// Sources of knowledge and the index: collections, documents, chunks, cached vectors.
import type { Generated } from 'kysely'

export interface KnowledgeSourcesTable {
  agent_id: string
  id: string
  description: string
  /** `config`: named by the agent's description, and deleted with it. */
  origin: 'config' | 'api'
  /** Hash of the content and the embedding model, to detect changes. */
  content_hash: string
  /** The job that ingests the content of that hash. */
  job_id: string | null
  /** JSON: files that could not be read when it was last looked at. */
  unread: string | null
  created_at: string
}

/** Chunks with comparable vectors: one model, one dimension. Its id never changes, the model may (decision 062). */
export interface CollectionsTable {
  id: string
  model: string
  dimension: number
  /** The set that its vectors are in. */
  vectors: string
  /** 1: new chunks belong to it. Searches find those of every collection with the same vectors. */
  serves: number
  /** No chunks are added before this: a job is about to change the model. */
  closed_until: string | null
  created_at: string
}

/** A table of vectors, one a chunk. */
export interface VectorSetsTable {
  /** The table's name. */
  name: string
  model: string
  dimension: number
  /** `building`: hidden, filled by a job. `old`: to be removed. */
  state: 'serving' | 'building' | 'old'
  job_id: string | null
  /** Of a set that is built: chunks up to this one have been embedded. */
  last_chunk: Generated<number>
  /** Chunks that existed when it was last looked. */
  upto: Generated<number>
  /** How many were embedded. */
  done: Generated<number>
  /** How many of these the embedding server refused: they are found by their words only. */
  refused: Generated<number>
  created_at: string
}

/** A document in the index. `generation` is the published one; null before the first. */
export interface DocumentsTable {
  id: string
  agent_id: string
  /** Empty for an agent's knowledge, otherwise the only conversation that may read it. */
  scope: string
  knowledge_id: string | null
  generation: number | null
  created_at: string
}

/** A passage; its vector and full text are in dialect-specific tables, under the same id. */
export interface ChunksTable {
  id: Generated<number>
  document_id: string
  generation: number
  position: number
  collection_id: string
  page: number
  heading: string | null
  content: string
}

/** Cached vectors of an embedding server. */
export interface EmbeddingsTable {
  /** The embedder's id: model and dimension. */
  model: string
  /** SHA-256 of the text. */
  hash: string
  /** 32-bit numbers in base64. */
  vector: string
  used_at: string
}

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

/** A set of comparable vectors: one model, one dimension. */
export interface CollectionsTable {
  id: string
  model: string
  dimension: number
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

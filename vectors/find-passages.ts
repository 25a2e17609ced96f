// Hybrid search for a question: embeds it, and names the documents of the passages found.
import type { Passage } from '../db/columns.ts'
import { findDocumentNames } from '../db/queries/jobs.ts'
import type { Db } from '../db/schema.ts'
import type { VectorStore } from './store.ts'

export interface PassageResources {
  db: Db
  vectors: VectorStore
  embedder: {
    /** Names the vector space: a collection has vectors of one model only. */
    model: string
    dimension: number
    message_weight?: number
    embed(texts: readonly string[], signal: AbortSignal, use?: 'question'): Promise<Float32Array[]>
  }
}

export interface PassageQuery {
  agent_id: string
  /** Conversations whose documents are searched; `''`: the agent's knowledge. */
  scopes: string[]
  text: string
  top_k: number
}

/** The best passages, best first. @throws the embedder's failure, or the signal's reason */
export async function findPassages(
  resources: PassageResources,
  query: PassageQuery,
  signal: AbortSignal,
): Promise<Passage[]> {
  const [vector] = await resources.embedder.embed([query.text], signal, 'question')
  return searchPassages(resources, query, vector!)
}

/** The same for a query that is embedded already. */
export async function searchPassages(
  { db, vectors, embedder }: PassageResources,
  query: PassageQuery,
  vector: Float32Array,
): Promise<Passage[]> {
  await vectors.ensureCollection({ id: embedder.model, model: embedder.model, dimension: embedder.dimension })
  const hits = await vectors.search({ ...query, collection: embedder.model, vector })
  const names = await findDocumentNames(db, [...new Set(hits.map(({ document_id }) => document_id))])
  return hits.map(({ document_id, page, heading, content, similarity, knowledge_id }) => ({
    document_id,
    document: names.get(document_id) ?? document_id,
    page,
    ...(heading !== undefined && { heading }),
    content,
    similarity,
    ...(knowledge_id !== undefined && { knowledge_id }),
  }))
}

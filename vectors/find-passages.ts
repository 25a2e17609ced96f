// Hybrid search for a query: embeds it, and names the documents of the passages found.
import type { UsageOwner } from '../contracts/budget.ts'
import type { Passage } from '../db/columns.ts'
import { findDocumentNames } from '../db/queries/jobs.ts'
import { listSupersededDocuments } from '../db/queries/superseded.ts'
import type { Db } from '../db/schema.ts'
import { meteredEmbedder } from './metered-embedder.ts'
import type { SearchIndex } from './search-index.ts'

export interface PassageResources {
  db: Db
  index: SearchIndex
}

/** The vector of a query, and the model that made it. */
export interface EmbeddedQuery {
  model: string
  vector: Float32Array
}

export interface PassageQuery {
  agent_id: string
  /** Conversations whose documents are searched; `''`: the agent's knowledge. */
  scopes: string[]
  text: string
  top_k: number
}

/** The best passages, best first. @throws MuxiError `budget_exceeded`, the embedder's failure, or the signal's reason */
export async function findPassages(
  resources: PassageResources,
  query: PassageQuery,
  { stream_id, owner }: { stream_id: string; owner: UsageOwner },
  signal: AbortSignal,
): Promise<Passage[]> {
  return resources.index.use(async ({ embedder }) => {
    const [vector] = await meteredEmbedder(resources.db, embedder, stream_id, owner).embed(
      [query.text],
      signal,
      'query',
    )
    return searchPassages(resources, query, { model: embedder.model, vector: vector! })
  })
}

/** The same for a query that is embedded already. @throws VectorsMismatch */
export async function searchPassages(
  { db, index }: PassageResources,
  query: PassageQuery,
  embedded: EmbeddedQuery,
): Promise<Passage[]> {
  const found = await index.vectors.search({ ...query, ...embedded })
  const ids = [...new Set(found.map(({ document_id }) => document_id))]
  const [names, superseded] = await Promise.all([findDocumentNames(db, ids), listSupersededDocuments(db, ids)])
  const hits = found.filter(({ document_id }) => !superseded.has(document_id))
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

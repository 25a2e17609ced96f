// Search in long-term memory: one user's with one agent. The partition of the index is one of both, and the rows are checked again.
import { memoryScope, type RecalledMemory } from '../contracts/memory.ts'
import { findMemories as findRows, type MemoryOwner } from '../db/queries/memories.ts'
import type { EmbeddedQuery, PassageResources } from './find-passages.ts'

export interface MemoryQuery extends MemoryOwner, EmbeddedQuery {
  text: string
  /** How much the ranking by vectors counts; 1 when left out. */
  vector_weight?: number | undefined
  limit: number
  /** Passages that are compared: some are of one message. */
  top_k?: number
}

/** The best memories, best first, each message once. @throws VectorsMismatch */
export async function searchMemories(
  { db, index }: PassageResources,
  { agent_id, user_id, text, model, vector, vector_weight = 1, limit, top_k = 2 * limit }: MemoryQuery,
): Promise<RecalledMemory[]> {
  const hits = await index.vectors.search({
    model,
    agent_id,
    scopes: [memoryScope(user_id)],
    text,
    vector,
    vector_weight,
    top_k,
  })
  const rows = await findRows(db, { agent_id, user_id }, [...new Set(hits.map(({ document_id }) => document_id))])
  const found = new Map<string, RecalledMemory>()
  for (const { document_id, content, similarity } of hits) {
    const row = rows.get(document_id)
    if (!row || found.has(document_id)) continue
    const { message_id, conversation_id, role, said_at } = row
    found.set(document_id, { message_id, conversation_id, role, content, said_at, similarity, from: 'long_term' })
    if (found.size === limit) break
  }
  return [...found.values()]
}

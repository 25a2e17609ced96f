// Search in long-term memory: one user's with one agent. The partition of the index is one of both, and the rows are checked again.
import { memoryScope, type RecalledMemory } from '../contracts/memory.ts'
import { findMemories as findRows, type MemoryOwner } from '../db/queries/memories.ts'
import type { PassageResources } from './find-passages.ts'

export interface MemoryQuery extends MemoryOwner {
  text: string
  /** Of the text. */
  vector: Float32Array
  limit: number
  /** Messages that are not wanted. */
  except?: readonly string[]
}

/** The best memories, best first, each message once. */
export async function searchMemories(
  { db, vectors, embedder }: PassageResources,
  { agent_id, user_id, text, vector, limit, except = [] }: MemoryQuery,
): Promise<RecalledMemory[]> {
  const collection = embedder.model
  await vectors.ensureCollection({ id: collection, model: collection, dimension: embedder.dimension })
  const hits = await vectors.search({
    collection,
    agent_id,
    scopes: [memoryScope(user_id)],
    text,
    vector,
    vector_weight: embedder.message_weight ?? 1,
    // The passages of one message, and of some that are not wanted, take places.
    top_k: limit * 2 + Math.min(except.length, limit),
  })
  const rows = await findRows(db, { agent_id, user_id }, [...new Set(hits.map(({ document_id }) => document_id))])
  const found = new Map<string, RecalledMemory>()
  for (const { document_id, content, similarity } of hits) {
    const row = rows.get(document_id)
    if (!row || except.includes(row.message_id) || found.has(document_id)) continue
    const { message_id, conversation_id, role, said_at } = row
    found.set(document_id, { message_id, conversation_id, role, content, said_at, similarity, from: 'long_term' })
    if (found.size === limit) break
  }
  return [...found.values()]
}

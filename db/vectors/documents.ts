// What both SQL stores do alike: names of tables and spaces, vectors of length 1, and the rows of documents.
import { createHash } from 'node:crypto'
import type { Tx } from '../schema.ts'
import type { DocumentGeneration } from './vector-store.ts'

/** The table that holds all vectors of a dimension. */
export const vectorTable = (dimension: number): string => `chunk_vectors_${dimension}`

/** Of chunks only what is published is ever seen. */
export const JOIN_PUBLISHED =
  'join documents on documents.id = chunks.document_id and documents.generation = chunks.generation'

/**
 * What a search never leaves: the chunks of one agent in one scope, as one word. It is the partition key of the vectors,
 * so that only these are compared, and a word of the full text.
 */
export function spaceOf(collection: string, agentId: string, scope: string): string {
  return createHash('sha256')
    .update(JSON.stringify([collection, agentId, scope]))
    .digest('hex')
    .slice(0, 32)
}

/** The vector scaled to length 1; undefined for one of zeros, which is near nothing. */
export function toUnit(vector: Float32Array): Float32Array | undefined {
  let sum = 0
  for (const value of vector) sum += value * value
  if (!(sum > 0) || !Number.isFinite(sum)) return undefined
  const length = Math.sqrt(sum)
  return vector.map((value) => value / length)
}

/** The row of the document, which is made once and then stays with its agent and scope. */
export async function enterDocument(tx: Tx, document: DocumentGeneration): Promise<void> {
  const { document_id: id, agent_id, scope } = document
  const knowledge_id = document.knowledge_id ?? null
  await tx
    .insertInto('documents')
    .values({ id, agent_id, scope, knowledge_id, generation: null, created_at: new Date().toISOString() })
    .onConflict((c) => c.doNothing())
    .execute()
  const found = await tx.selectFrom('documents').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  if (found.agent_id !== agent_id || found.scope !== scope)
    throw new Error(`Cannot move document '${id}' to another agent or conversation`)
}

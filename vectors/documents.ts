// Helpers of both SQL stores: names of tables and spaces, unit vectors, and the rows of documents.
import { createHash } from 'node:crypto'
import type { Tx } from '../db/schema.ts'
import type { DocumentGeneration } from './store.ts'

/** The table of the first set of vectors of a dimension. */
export const vectorTable = (dimension: number): string => `chunk_vectors_${dimension}`

/** Restricts chunks to published ones. */
export const JOIN_PUBLISHED =
  'join documents on documents.id = chunks.document_id and documents.generation = chunks.generation'

/**
 * A space: the chunks of one agent in one scope, as one word. It is the partition key of the vectors,
 * so that only these are compared, and a term of the full-text index.
 */
export function spaceOf(collection: string, agentId: string, scope: string): string {
  return createHash('sha256')
    .update(JSON.stringify([collection, agentId, scope]))
    .digest('hex')
    .slice(0, 32)
}

/** The vector scaled to length 1; undefined for the zero vector. */
export function toUnit(vector: Float32Array): Float32Array | undefined {
  let sum = 0
  for (const value of vector) sum += value * value
  if (!(sum > 0) || !Number.isFinite(sum)) return undefined
  const length = Math.sqrt(sum)
  return vector.map((value) => value / length)
}

/** Inserts the row of the document once; its agent and scope never change. */
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

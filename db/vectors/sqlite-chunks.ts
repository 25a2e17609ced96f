// One chunk in SQLite: its row, its words in FTS5 and its vector in sqlite-vec, all under one id.
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Tx } from '../schema.ts'
import type { DocumentGeneration, VectorChunk } from './vector-store.ts'
import { spaced } from './words.ts'

/** The table that holds all vectors of a dimension. */
export const vectorTable = (dimension: number): string => `chunk_vectors_${dimension}`

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

/** The bytes of a vector scaled to length 1, as sqlite-vec takes them; undefined for one of zeros, which is near nothing. */
export function unitBytes(vector: Float32Array): Uint8Array | undefined {
  let sum = 0
  for (const value of vector) sum += value * value
  if (!(sum > 0) || !Number.isFinite(sum)) return undefined
  const length = Math.sqrt(sum)
  return new Uint8Array(vector.map((value) => value / length).buffer)
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

/** The chunk, its vector and its words, unless it is there. */
export async function addChunk(tx: Tx, document: DocumentGeneration, space: string, chunk: VectorChunk): Promise<void> {
  const { document_id, generation, collection: collection_id } = document
  const { text: content, heading = null, page, position, vector } = chunk
  const inserted = await tx
    .insertInto('chunks')
    .values({ document_id, generation, collection_id, position, page, heading, content })
    .onConflict((c) => c.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  // The virtual tables take integers only; a JavaScript number would arrive as a real.
  const id = BigInt(inserted.id)
  await sql`insert into chunk_words (rowid, content, heading, space) values (${id}, ${spaced(content)}, ${spaced(heading ?? '')}, ${space})`.execute(
    tx,
  )
  const bytes = unitBytes(vector)
  if (bytes)
    await sql`insert into ${sql.table(vectorTable(vector.length))} (rowid, space, embedding) values (${id}, ${space}, ${bytes})`.execute(
      tx,
    )
}

export async function removeChunk(tx: Tx, chunkId: number, dimension: number): Promise<void> {
  const id = BigInt(chunkId)
  await sql`delete from ${sql.table(vectorTable(dimension))} where rowid = ${id}`.execute(tx)
  await sql`delete from chunk_words where rowid = ${id}`.execute(tx)
  await tx.deleteFrom('chunks').where('id', '=', chunkId).execute()
}

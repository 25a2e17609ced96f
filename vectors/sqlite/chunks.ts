// One chunk in SQLite: its row, full text in FTS5, vector and its code in sqlite-vec, all under one id.
import { sql } from 'kysely'
import { indexWords } from '../../contracts/search-words.ts'
import type { Tx } from '../../db/schema.ts'
import { codeOf } from '../../db/vector-code.ts'
import { toUnit } from '../documents.ts'
import type { AddedTo, ChunkVector } from '../dialect.ts'
import type { DocumentGeneration, VectorChunk } from '../store.ts'

/** A vector in sqlite-vec's binary format. */
export function toBytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Inserts the chunk with vector and full text, unless it exists. */
export async function addChunk(
  tx: Tx,
  { document_id, generation }: DocumentGeneration,
  { collection: collection_id, space, table }: AddedTo,
  chunk: VectorChunk,
): Promise<void> {
  const { text: content, heading = null, page, position, vector } = chunk
  const inserted = await tx
    .insertInto('chunks')
    .values({ document_id, generation, collection_id, position, page, heading, content })
    .onConflict((c) => c.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  // The virtual tables accept integers only; a JavaScript number would be bound as a real.
  const id = BigInt(inserted.id)
  const [words, title] = [content, heading ?? ''].map((text) => indexWords(text).join(' '))
  await sql`insert into chunk_words (rowid, content, heading, space) values (${id}, ${words}, ${title}, ${space})`.execute(
    tx,
  )
  await addVector(tx, table, { id: inserted.id, space, vector })
}

/** A zero vector is left out: it has no direction. */
export async function addVector(tx: Tx, table: string, { id, space, vector }: ChunkVector): Promise<void> {
  const unit = toUnit(vector)
  if (unit)
    await sql`insert into ${sql.table(table)} (rowid, space, code, embedding)
      values (${BigInt(id)}, ${space}, vec_bit(${codeOf(unit)}), ${toBytes(unit)})`.execute(tx)
}

/** @param tables the sets of vectors */
export async function removeChunk(tx: Tx, chunkId: number, tables: readonly string[]): Promise<void> {
  const id = BigInt(chunkId)
  for (const table of tables) await sql`delete from ${sql.table(table)} where rowid = ${id}`.execute(tx)
  await sql`delete from chunk_words where rowid = ${id}`.execute(tx)
  await tx.deleteFrom('chunks').where('id', '=', chunkId).execute()
}

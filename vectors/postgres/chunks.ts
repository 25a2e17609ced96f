// Chunks in Postgres: their rows, full text as tsvector and vectors in pgvector, all under one id.
import { sql } from 'kysely'
import type { Tx } from '../../db/schema.ts'
import { toUnit } from '../documents.ts'
import type { AddedTo, ChunkVector } from '../dialect.ts'
import { spaceLexeme, toVector } from './terms.ts'
import type { DocumentGeneration, VectorChunk } from '../store.ts'

/** A vector scaled to length 1 in pgvector's text format; undefined for the zero vector. */
export function unitText(vector: Float32Array): string | undefined {
  const unit = toUnit(vector)
  return unit && `[${unit.join(',')}]`
}

/** Inserts chunks with vectors and full text, except existing ones. All vectors have one dimension. */
export async function addSomeChunks(
  tx: Tx,
  { document_id, generation }: DocumentGeneration,
  { collection: collection_id, space, table }: AddedTo,
  chunks: VectorChunk[],
): Promise<void> {
  const inserted = await tx
    .insertInto('chunks')
    .values(
      chunks.map(({ text: content, heading = null, page, position }) => {
        return { document_id, generation, collection_id, position, page, heading, content }
      }),
    )
    .onConflict((c) => c.doNothing())
    .returning(['id', 'position'])
    .execute()
  if (inserted.length === 0) return
  const ids = new Map(inserted.map(({ id, position }) => [position, id]))
  const added = [...new Map(chunks.toReversed().map((chunk) => [chunk.position, chunk])).values()].filter((chunk) =>
    ids.has(chunk.position),
  )
  const words = added.map(({ position, text, heading = '' }) => {
    return sql`(${ids.get(position)}::bigint, ${toVector(heading, 'A')}::tsvector || ${toVector(text, 'D')}::tsvector
      || array_to_tsvector(array[${spaceLexeme(space)}::text]))`
  })
  await sql`insert into chunk_words (chunk_id, words) values ${sql.join(words)}`.execute(tx)
  await addVectors(
    tx,
    table,
    added.map(({ position, vector }) => ({ id: ids.get(position)!, space, vector })),
  )
}

/** Zero vectors are left out: they have no direction. */
export async function addVectors(tx: Tx, table: string, vectors: ChunkVector[]): Promise<void> {
  const rows = vectors.flatMap(({ id, space, vector }) => {
    const unit = unitText(vector)
    return unit === undefined ? [] : [sql`(${id}, ${space}, ${unit})`]
  })
  if (rows.length === 0) return
  await sql`insert into ${sql.table(table)} (chunk_id, space, embedding) values ${sql.join(rows)}`.execute(tx)
}

// Hybrid search on SQLite: the nearest vectors and the best words, each within what may be seen, fused by rank.
import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../schema.ts'
import { CANDIDATES_A_HIT, candidatesFor, fuseRanks, toHit } from './fuse.ts'
import { unitBytes } from './sqlite-chunks.ts'
import type { Hit, VectorQuery } from './vector-store.ts'
import { matchOf } from './sqlite-words.ts'
import type { WordCounts } from './word-counts.ts'
import { wordsOfQuestion } from './words.ts'

/** The most that sqlite-vec gives. */
const MOST_NEIGHBOURS = 4_096

type Narrowed = Pick<VectorQuery, 'knowledge_id'>
interface Near {
  id: number
  distance: number
}

export async function searchSqlite(
  db: Db,
  counts: WordCounts,
  table: string,
  spaces: string[],
  query: VectorQuery,
): Promise<Hit[]> {
  const wanted = candidatesFor(query.top_k, MOST_NEIGHBOURS)
  const vector = unitBytes(query.vector)
  const near = new Map<number, number>()
  const words = new Map<number, number>()
  // One space after the other: each is a partition of the vectors, and they are few.
  for (const space of new Set(spaces)) {
    const found = vector ? await findNear(db, table, space, vector, wanted, query) : []
    // In a small index everything is among the nearest: what has nothing in common with the question is not near.
    for (const { id, distance } of found) if (toSimilarity(distance) > 0) near.set(id, distance)
    for (const { id, rank } of await findWords(db, counts, space, wanted, query)) words.set(id, rank)
  }
  const best = fuseRanks([near, words], query.top_k)
  const rows = await getVisible(
    db,
    best.map(([id]) => id),
    query,
  )
  const hits: Hit[] = []
  for (const [id, score] of best) {
    const row = rows.get(id)
    if (!row) continue
    const distance = near.get(id) ?? (vector && (await getDistance(db, table, id, vector)))
    hits.push(toHit(row, distance === undefined ? 0 : toSimilarity(distance), score))
  }
  return hits
}

/** The nearest vectors that may be seen. */
async function findNear(
  db: Db,
  table: string,
  space: string,
  vector: Uint8Array,
  wanted: number,
  narrowed: Narrowed,
): Promise<Near[]> {
  const nearest = async (only: RawBuilder<unknown>) => {
    const { rows } = await sql<Near>`select rowid as id, distance from ${sql.table(table)}
      where embedding match ${vector} and space = ${space} and k = ${BigInt(wanted)} ${only} order by distance`.execute(
      db,
    )
    return rows
  }
  const found = await nearest(sql``)
  const visible = await getVisible(
    db,
    found.map(({ id }) => id),
    narrowed,
  )
  const seen = found.filter(({ id }) => visible.has(id))
  // Hidden ones took places away. The scan is told which may be seen: it is slower, so only then.
  const enough = found.length < wanted || seen.length >= wanted / CANDIDATES_A_HIT
  return enough
    ? seen
    : nearest(
        sql`and rowid in (select chunks.id from chunks ${VISIBLE} ${narrowed.knowledge_id === undefined ? sql`` : sql`where documents.knowledge_id = ${narrowed.knowledge_id}`})`,
      )
}

async function findWords(
  db: Db,
  counts: WordCounts,
  space: string,
  wanted: number,
  query: VectorQuery,
): Promise<{ id: number; rank: number }[]> {
  const match = await matchOf(db, counts, space, wordsOfQuestion(query.text))
  if (match === undefined) return []
  const { rows } = await sql<{ id: number; rank: number }>`select chunks.id, chunk_words.rank
    from chunk_words join chunks on chunks.id = chunk_words.rowid ${VISIBLE}
    where chunk_words match ${match} and chunk_words.rank match 'bm25(1.0, 1.5, 0.0)' ${narrowedTo(query)}
    order by chunk_words.rank limit ${wanted}`.execute(db)
  return rows
}

/** Only what is published is ever seen. */
const VISIBLE = sql`join documents on documents.id = chunks.document_id and documents.generation = chunks.generation`
const narrowedTo = ({ knowledge_id }: Narrowed) =>
  knowledge_id === undefined ? sql`` : sql`and documents.knowledge_id = ${knowledge_id}`

async function getVisible(db: Db, ids: number[], { knowledge_id }: Narrowed) {
  const rows = await db
    .selectFrom('chunks')
    .innerJoin('documents', (join) =>
      join.onRef('documents.id', '=', 'chunks.document_id').onRef('documents.generation', '=', 'chunks.generation'),
    )
    .select([
      'chunks.id',
      'chunks.document_id',
      'chunks.page',
      'chunks.heading',
      'chunks.content',
      'documents.knowledge_id',
    ])
    .where(sql<boolean>`chunks.id in (select value from json_each(${JSON.stringify(ids)}))`)
    .$if(knowledge_id !== undefined, (rows) => rows.where('documents.knowledge_id', '=', knowledge_id!))
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/** Of a passage that was found by its words only. */
async function getDistance(db: Db, table: string, id: number, vector: Uint8Array): Promise<number | undefined> {
  const { rows } = await sql<{ distance: number }>`select vec_distance_l2(embedding, ${vector}) as distance
    from ${sql.table(table)} where rowid = ${BigInt(id)}`.execute(db)
  return rows[0]?.distance
}

/** The cosine of two vectors of length 1, from their distance. */
function toSimilarity(distance: number): number {
  return Math.min(1, Math.max(0, 1 - distance ** 2 / 2))
}

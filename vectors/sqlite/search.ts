// Hybrid search on SQLite: nearest vectors and full text, each restricted to visible chunks, fused by rank.
import { sql } from 'kysely'
import { queryWords } from '../../contracts/search-words.ts'
import type { Db } from '../../db/schema.ts'
import { CANDIDATES_A_HIT, candidatesFor, fuseRanks, toHit } from '../fuse.ts'
import { toUnit } from '../documents.ts'
import { toBytes } from './chunks.ts'
import type { Hit, VectorQuery } from '../store.ts'
import type { NearestFinder } from './nearest.ts'
import { matchOf } from './terms.ts'
import type { WordCounts } from '../word-counts.ts'
import { type Narrowed, narrowedTo, VISIBLE } from '../visible-chunks.ts'

/** Largest `k` of sqlite-vec. */
const MOST_NEIGHBOURS = 4_096

export interface Searched {
  db: Db
  nearest: NearestFinder
  counts: WordCounts
}

export async function searchSqlite(
  { db, nearest, counts }: Searched,
  table: string,
  spaces: string[],
  query: VectorQuery,
): Promise<Hit[]> {
  const wanted = candidatesFor(query.top_k, MOST_NEIGHBOURS)
  const vector = toUnit(query.vector)
  // Each space is a partition of the vectors; there are few.
  const distinct = [...new Set(spaces)]
  const enough = wanted / CANDIDATES_A_HIT
  const { knowledge_id } = query
  // The thread scans the vectors concurrently.
  const [found, worded] = await Promise.all([
    vector ? nearest.find({ table, spaces: distinct, vector, wanted, enough, knowledge_id }) : [],
    findWords(db, counts, distinct, wanted, query),
  ])
  // In a small index every chunk is among the nearest: those without similarity to the query are dropped.
  const alike = found.filter(({ distance }) => toSimilarity(distance) > 0)
  const near = new Map(alike.map(({ id, distance }) => [id, distance]))
  const words = new Map(worded.map(({ id, rank }) => [id, rank]))
  const best = fuseRanks([near, words], query.top_k, [query.vector_weight ?? 1])
  const rows = await getVisible(
    db,
    best.map(([id]) => id),
    query,
  )
  const unknown = best.flatMap(([id]) => (near.has(id) ? [] : [id]))
  const others = vector ? await getDistances(db, table, unknown, vector) : new Map<number, number>()
  const hits: Hit[] = []
  for (const [id, score] of best) {
    const row = rows.get(id)
    if (!row) continue
    const distance = near.get(id) ?? others.get(id)
    hits.push(toHit(row, distance === undefined ? 0 : toSimilarity(distance), score))
  }
  return hits
}

interface Ranked {
  id: number
  rank: number
}

async function findWords(
  db: Db,
  counts: WordCounts,
  spaces: string[],
  wanted: number,
  query: VectorQuery,
): Promise<Ranked[]> {
  const found: Ranked[] = []
  const words = queryWords(query.text)
  for (const space of spaces) {
    const match = await matchOf(db, counts, space, words)
    if (match === undefined) continue
    const { rows } = await sql<Ranked>`select chunks.id, chunk_words.rank
      from chunk_words join chunks on chunks.id = chunk_words.rowid ${VISIBLE}
      where chunk_words match ${match} and chunk_words.rank match 'bm25(1.0, 1.5, 0.0)' ${narrowedTo(query)}
      order by chunk_words.rank, chunks.id limit ${wanted}`.execute(db)
    found.push(...rows)
  }
  return found
}

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

/** The distances of passages that were found by full text only. */
async function getDistances(db: Db, table: string, ids: number[], vector: Float32Array): Promise<Map<number, number>> {
  if (ids.length === 0) return new Map()
  const { rows } = await sql<{ id: number; distance: number }>`
    select rowid as id, vec_distance_l2(value00, ${toBytes(vector)}) as distance from ${sql.table(`${table}_auxiliary`)}
    where rowid in (select value from json_each(${JSON.stringify(ids)}))`.execute(db)
  return new Map(rows.map(({ id, distance }) => [id, distance]))
}

/** The cosine similarity of two unit vectors, from their distance. */
function toSimilarity(distance: number): number {
  return Math.min(1, Math.max(0, 1 - distance ** 2 / 2))
}

// Hybrid search on Postgres: nearest vectors and full text, each restricted to visible chunks, fused by rank.
import { sql, type RawBuilder } from 'kysely'
import { queryWords } from '../../contracts/search-words.ts'
import type { Db } from '../../db/schema.ts'
import { CANDIDATES_A_HIT, candidatesFor, fuseRanks, toHit } from '../fuse.ts'
import { unitText } from './chunks.ts'
import { matchOf, MOST_MATCHED } from './terms.ts'
import type { Hit, VectorQuery } from '../store.ts'
import type { WordCounts } from '../word-counts.ts'
import { type Narrowed, narrowedTo, VISIBLE, type VisibleChunk } from '../visible-chunks.ts'

/** Largest `hnsw.ef_search`. */
const MOST_NEIGHBOURS = 1_000
/**
 * Spaces of up to this many vectors are compared exactly, which takes 5 ms for 10,000: as long as with HNSW, which takes longer when
 * vectors of other spaces are nearer.
 */
export const MOST_EXACT = 10_000
/** Vectors of an exact comparison for each one that is wanted: some may be hidden. */
const EXACT_A_RESULT = 2

/**
 * All queries use indexes. Without fresh statistics, as after an ingestion, Postgres would
 * choose to read and sort whole tables (20 instead of 1.5 ms for the nearest of 10,000).
 */
export const SEARCH_SETTINGS = {
  // With a filter HNSW would return only the remainder of its first candidates: iterative scans continue until there are
  // enough.
  'hnsw.iterative_scan': 'strict_order',
  'hnsw.ef_search': '140',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // An unavoidable sort is still made.
  enable_sort: 'off',
  jit: 'off',
  // Joins in the written order.
  join_collapse_limit: '1',
}

interface Near {
  id: number
  distance: number
}

export interface Searched {
  /** Connections with the settings above. */
  searches: Db
  counts: WordCounts
  mostExact: number
}

export async function searchPostgres(
  { searches, counts, mostExact }: Searched,
  table: string,
  spaces: string[],
  query: VectorQuery,
): Promise<Hit[]> {
  const wanted = candidatesFor(query.top_k, MOST_NEIGHBOURS)
  const vector = unitText(query.vector)
  // Concurrently, on two connections.
  const [nearest, worded] = await Promise.all([
    vector === undefined ? [] : findNear(searches, table, spaces, vector, wanted, query, mostExact),
    findWords(searches, counts, spaces, wanted, query),
  ])
  // In a small index every chunk is among the nearest: those without similarity to the query are dropped.
  const alike = nearest.filter(({ distance }) => toSimilarity(distance) > 0)
  const near = new Map(alike.map(({ id, distance }) => [id, distance]))
  const words = new Map(worded.map(({ id, rank }) => [id, -rank]))
  const best = fuseRanks([near, words], query.top_k, [query.vector_weight ?? 1])
  const ids = best.map(([id]) => id)
  const rows = await getVisible(searches, table, ids, vector, query)
  const hits: Hit[] = []
  for (const [id, score] of best) {
    const row = rows.get(id)
    if (!row) continue
    hits.push(toHit(row, row.distance === null ? 0 : toSimilarity(row.distance), score))
  }
  return hits
}

/** The nearest visible vectors. */
async function findNear(
  db: Db,
  table: string,
  spaces: string[],
  vector: string,
  wanted: number,
  narrowed: Narrowed,
  mostExact: number,
): Promise<Near[]> {
  const vectors = sql.table(table)
  const inSpaces = sql`near.space = any(${spaces})`
  const distance = sql`near.embedding <=> ${vector}::halfvec`
  // As part of a sum it does not match the index order.
  const exact = sql`(${distance}) + 0`
  // Ordered by the name of the column: written again it would be another parameter, computed twice for each row.
  const nearest = async (statement: RawBuilder<Near>) => (await statement.execute(db)).rows
  const amongVisible = (from: RawBuilder<unknown>, by: RawBuilder<unknown>) =>
    nearest(sql<Near>`select near.chunk_id as id, ${by} as distance from ${from}
      where ${inSpaces} ${narrowedTo(narrowed)} order by distance limit ${wanted}`)
  const vectorsFirst = sql`${vectors} near join chunks on chunks.id = near.chunk_id ${VISIBLE}`
  const chunksFirst = sql`chunks ${VISIBLE} join ${vectors} near on near.chunk_id = chunks.id`
  const comparingAll = () => amongVisible(narrowed.knowledge_id === undefined ? vectorsFirst : chunksFirst, exact)
  const compared = await countUpTo(db, table, spaces, narrowed, mostExact + 1)
  const few = EXACT_A_RESULT * wanted
  if (compared <= (narrowed.knowledge_id === undefined ? few : mostExact)) return comparingAll()
  const found =
    compared > mostExact
      ? await amongVisible(vectorsFirst, distance)
      : await nearest(sql<Near>`with near as materialized (select near.chunk_id, ${exact} as distance
            from ${vectors} near where ${inSpaces} order by distance limit ${few})
          select near.chunk_id as id, near.distance from near join chunks on chunks.id = near.chunk_id ${VISIBLE}
          order by near.distance limit ${wanted}`)
  // Hidden vectors may displace visible ones, and HNSW may stop with too few. Comparing all visible ones is slower, so only then.
  return found.length >= wanted / CANDIDATES_A_HIT ? found : comparingAll()
}

/** Counts the vectors of the spaces, or of one source of knowledge, which is within one space. */
async function countUpTo(db: Db, table: string, spaces: string[], narrowed: Narrowed, most: number): Promise<number> {
  const compared =
    narrowed.knowledge_id === undefined
      ? sql`${sql.table(table)} where space = any(${spaces})`
      : sql`chunks ${VISIBLE} ${narrowedTo(narrowed)}`
  const { rows } = await sql<{ n: number }>`select count(*) as n
    from (select from ${compared} limit ${most}) counted`.execute(db)
  return Number(rows[0]?.n)
}

async function findWords(
  db: Db,
  counts: WordCounts,
  spaces: string[],
  wanted: number,
  query: VectorQuery,
): Promise<{ id: number; rank: number }[]> {
  const found = await matchOf(db, counts, spaces, queryWords(query.text))
  if (found === undefined) return []
  // Matched before the join: Postgres overestimates the match's selectivity and would scan all chunks.
  const { rows } = await sql<{ id: number; rank: number }>`with found as materialized (
      select chunk_id, ${found.rank} as rank from chunk_words where words @@ ${found.match}::tsquery
      limit ${MOST_MATCHED})
    select chunks.id, found.rank from found join chunks on chunks.id = found.chunk_id ${VISIBLE} ${narrowedTo(query)}
    order by found.rank desc, chunks.id limit ${wanted}`.execute(db)
  return rows
}

interface Visible extends VisibleChunk {
  /** Distance of its vector to the query's, if both have one. */
  distance: number | null
}

async function getVisible(db: Db, table: string, ids: number[], vector: string | undefined, narrowed: Narrowed) {
  const { rows } = await sql<Visible>`select chunks.id, chunks.document_id, chunks.page, chunks.heading, chunks.content,
      documents.knowledge_id, near.embedding <=> ${vector ?? null}::halfvec as distance
    from chunks ${VISIBLE} left join ${sql.table(table)} near on near.chunk_id = chunks.id
    where chunks.id = any(${ids}::bigint[]) ${narrowedTo(narrowed)}`.execute(db)
  return new Map(rows.map((row) => [row.id, row]))
}

/** The cosine similarity, from the distance. */
function toSimilarity(distance: number): number {
  return Math.min(1, Math.max(0, 1 - distance))
}

// The thread for vector search: it compares the binary codes of a space with a query, then rescores the best by their full vectors.
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { openFile } from '../../db/sqlite-file.ts'
import { JOIN_PUBLISHED } from '../documents.ts'
import { toBytes } from './chunks.ts'
import { KeptCodes } from './kept-codes.ts'
import { type CodeQuery, codeQuery, scanCodes } from './scan-codes.ts'

/** Vectors that are compared for each one that is wanted, and at least: a space of fewer is compared as a whole. */
const COMPARED_A_RESULT = 4
const LEAST_COMPARED = 200
/** Of codes that are kept in memory: 450,000 of 384 dimensions. */
const KEPT_BYTES = 32 * 2 ** 20

export interface NearestQuery {
  table: string
  spaces: string[]
  /** Of length 1. */
  vector: Float32Array
  wanted: number
  /** With fewer visible results than this, a second, slower scan is made. */
  enough: number
  knowledge_id: string | undefined
}

export interface Near {
  id: number
  distance: number
}

/** The answer to each query, by number. */
export type Answer = { number: number } & (
  | { near: Near[] }
  | { error: { message: string; code: unknown; errcode: unknown } }
)

const VISIBLE = `select chunks.id from chunks ${JOIN_PUBLISHED}`

const db = openFile(workerData as string, { readOnly: true })
const kept = new KeptCodes(db, KEPT_BYTES)
const statements = new Map<string, StatementSync>()

function prepare(text: string): StatementSync {
  const statement = statements.get(text) ?? db.prepare(text)
  statements.set(text, statement)
  return statement
}

function findNear(space: string, query: NearestQuery, code: CodeQuery): Near[] {
  const { wanted, enough, knowledge_id } = query
  const most = Math.max(wanted * COMPARED_A_RESULT, LEAST_COMPARED)
  // A source of knowledge is a small part of its space, whose nearest vectors are mostly others.
  if (knowledge_id !== undefined) {
    const only = idsOf(`${VISIBLE} where documents.scope = '' and documents.knowledge_id = ?`, knowledge_id)
    return compareCodes(space, query, code, most, only).near.slice(0, wanted)
  }
  const { near, compared } = compareCodes(space, query, code, most)
  const first = visibleOf(near.slice(0, wanted))
  if (first.length >= enough || near.length <= wanted) return first
  if (compared <= most) return visibleOf(near).slice(0, wanted)
  // Hidden chunks displaced visible ones. A scan restricted to visible chunks is slower, so only then.
  return compareCodes(space, query, code, most, idsOf(VISIBLE)).near.slice(0, wanted)
}

/** The vectors with the most alike codes, nearest first. */
function compareCodes(
  space: string,
  query: NearestQuery,
  code: CodeQuery,
  most: number,
  only?: ReadonlySet<number>,
): { near: Near[]; compared: number } {
  const { ids, compared } = scanCodes(kept.read(query.table, space), code, most, only)
  const near = compare(ids, query)
  if (near.length === ids.length) return { near, compared }
  // Some were deleted since their codes were read, and displaced others.
  const again = scanCodes(kept.readAgain(query.table, space), code, most, only)
  return { near: compare(again.ids, query), compared: again.compared }
}

function idsOf(chunks: string, ...parameters: SQLInputValue[]): Set<number> {
  const rows = prepare(chunks).all(...parameters) as { id: number }[]
  return new Set(rows.map(({ id }) => id))
}

/** Their distances, nearest first. The vectors are read past sqlite-vec, which would take ten times as long for each. */
function compare(ids: readonly number[], { table, vector }: NearestQuery): Near[] {
  return prepare(
    `select rowid as id, vec_distance_l2(value00, ?) as distance from "${table}_auxiliary"
      where rowid in (select value from json_each(?)) order by distance, rowid`,
  ).all(toBytes(vector), JSON.stringify(ids)) as unknown as Near[]
}

function visibleOf(near: readonly Near[]): Near[] {
  const ids = JSON.stringify(near.map(({ id }) => id))
  const rows = prepare(`${VISIBLE} where chunks.id in (select value from json_each(?))`).all(ids) as { id: number }[]
  const visible = new Set(rows.map(({ id }) => id))
  return near.filter(({ id }) => visible.has(id))
}

parentPort!.on('message', ({ number, query }: { number: number; query: NearestQuery }) => {
  let answer: Answer
  try {
    const code = codeQuery(query.vector)
    // One snapshot for all statements.
    db.exec('begin')
    answer = { number, near: query.spaces.flatMap((space) => findNear(space, query, code)) }
  } catch (error) {
    const { message, code, errcode } = error as Error & { code?: unknown; errcode?: unknown }
    answer = { number, error: { message, code, errcode } }
  } finally {
    if (db.isTransaction) db.exec('commit')
  }
  parentPort!.postMessage(answer)
})

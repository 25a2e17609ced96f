// The thread for vector search: it compares the binary codes of a space with a query, then rescores the best by their full vectors.
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { openFile } from '../../db/sqlite-file.ts'
import { likenessTable } from '../../db/vector-code.ts'
import { JOIN_PUBLISHED } from '../documents.ts'
import { toBytes } from './chunks.ts'
import { type CodeBlock, ofSpot, scanCodes, toSpot } from './scan-codes.ts'

/** Vectors that are compared for each one that is wanted, and at least: a space of fewer is compared as a whole. */
const COMPARED_A_RESULT = 4
const LEAST_COMPARED = 200

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
const statements = new Map<string, StatementSync>()

function prepare(text: string): StatementSync {
  const statement = statements.get(text) ?? db.prepare(text)
  statements.set(text, statement)
  return statement
}

function findNear(space: string, query: NearestQuery, likeness: Float32Array): Near[] {
  const { table, wanted, enough, knowledge_id } = query
  const most = Math.max(wanted * COMPARED_A_RESULT, LEAST_COMPARED)
  // A source of knowledge is a small part of its space, whose nearest vectors are mostly others.
  if (knowledge_id !== undefined) {
    const only = spotsOf(table, `${VISIBLE} where documents.scope = '' and documents.knowledge_id = ?`, knowledge_id)
    return compare(scan(space, query, likeness, most, only).ids, query).slice(0, wanted)
  }
  const { ids, compared } = scan(space, query, likeness, most)
  const near = compare(ids, query)
  const first = visibleOf(near.slice(0, wanted))
  if (first.length >= enough || near.length <= wanted) return first
  if (compared <= most) return visibleOf(near).slice(0, wanted)
  // Hidden chunks displaced visible ones. A scan restricted to visible chunks is slower, so only then.
  return compare(scan(space, query, likeness, most, spotsOf(table, VISIBLE)).ids, query).slice(0, wanted)
}

/** The ids with the most alike codes. The blocks are those in which sqlite-vec stores a column of vectors by their partition key. */
function scan(
  space: string,
  { table }: NearestQuery,
  likeness: Float32Array,
  most: number,
  only?: ReadonlySet<number>,
) {
  // The plus keeps SQLite from converting, which would keep it from using the index of the codes.
  const blocks = prepare(
    `select chunk_id as block, validity, vectors as codes from "${table}_chunks" blocks
      cross join "${table}_vector_chunks00" codes on codes.rowid = +blocks.chunk_id where blocks.partition00 = ?`,
  )
  const found = scanCodes(blocks.iterate(space) as Iterable<CodeBlock>, likeness, most, only)
  return { ids: idsAt(table, found.spots), compared: found.compared }
}

/** The ids of the vectors at these spots. */
function idsAt(table: string, spots: readonly number[]): number[] {
  const places = spots.map(ofSpot)
  const blocks = JSON.stringify([...new Set(places.map(({ block }) => block))])
  const rows = prepare(
    `select chunk_id as block, rowids from "${table}_chunks" where chunk_id in (select value from json_each(?))`,
  ).all(blocks) as { block: number; rowids: Uint8Array }[]
  const views = new Map(rows.map(({ block, rowids }) => [block, new DataView(rowids.buffer, rowids.byteOffset)]))
  return places.map(({ block, place }) => Number(views.get(block)!.getBigInt64(place * 8, true)))
}

/** Where the codes of some chunks are. */
function spotsOf(table: string, chunks: string, ...parameters: SQLInputValue[]): Set<number> {
  const rows = prepare(
    `select chunk_id as block, chunk_offset as place from "${table}_rowids" where rowid in (${chunks})`,
  ).all(...parameters) as { block: number; place: number }[]
  return new Set(rows.map(({ block, place }) => toSpot(block, place)))
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
    const likeness = likenessTable(query.vector)
    // One snapshot for all statements.
    db.exec('begin')
    answer = { number, near: query.spaces.flatMap((space) => findNear(space, query, likeness)) }
  } catch (error) {
    const { message, code, errcode } = error as Error & { code?: unknown; errcode?: unknown }
    answer = { number, error: { message, code, errcode } }
  } finally {
    if (db.isTransaction) db.exec('commit')
  }
  parentPort!.postMessage(answer)
})

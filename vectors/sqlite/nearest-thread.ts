// The thread for vector search: it scans all vectors of an agent, which would block the event loop.
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { openFile } from '../../db/sqlite-file.ts'
import { JOIN_PUBLISHED } from '../documents.ts'

export interface NearestQuery {
  table: string
  spaces: string[]
  /** The bytes of a vector of length 1. */
  vector: Uint8Array
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

function rows<T>(text: string, ...parameters: SQLInputValue[]): T[] {
  const statement = statements.get(text) ?? db.prepare(text)
  statements.set(text, statement)
  return statement.all(...parameters) as T[]
}

function findNear(space: string, { table, vector, wanted, enough, knowledge_id }: NearestQuery): Near[] {
  const narrowed = knowledge_id === undefined ? [] : [knowledge_id]
  const nearest = (only: string, ...parameters: SQLInputValue[]) =>
    rows<Near>(
      `select rowid as id, distance from "${table}" where embedding match ? and space = ? and k = ? ${only} order by distance`,
      vector,
      space,
      BigInt(wanted),
      ...parameters,
    )
  const found = nearest('')
  const visible = rows<{ id: number }>(
    `${VISIBLE} where chunks.id in (select value from json_each(?)) ${narrowed.length > 0 ? 'and documents.knowledge_id = ?' : ''}`,
    JSON.stringify(found.map(({ id }) => id)),
    ...narrowed,
  )
  const ids = new Set(visible.map(({ id }) => id))
  const seen = found.filter(({ id }) => ids.has(id))
  // Hidden chunks displaced visible ones. A scan restricted to visible chunks is slower, so only then.
  if (found.length < wanted || seen.length >= enough) return seen
  return nearest(
    `and rowid in (${VISIBLE} ${narrowed.length > 0 ? 'where documents.knowledge_id = ?' : ''})`,
    ...narrowed,
  )
}

parentPort!.on('message', ({ number, query }: { number: number; query: NearestQuery }) => {
  let answer: Answer
  try {
    answer = { number, near: query.spaces.flatMap((space) => findNear(space, query)) }
  } catch (error) {
    const { message, code, errcode } = error as Error & { code?: unknown; errcode?: unknown }
    answer = { number, error: { message, code, errcode } }
  }
  parentPort!.postMessage(answer)
})

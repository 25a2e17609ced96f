// Adds the words of messages to the full-text index: in small steps, which neither block the event loop nor hold locks for long.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { sql } from 'kysely'
import { indexWords, piecesOf } from '../../contracts/search-words.ts'
import { differencesOf } from '../dialect.ts'
import { INDEXED_CHARACTERS } from '../message-words.ts'
import type { Db } from '../schema.ts'

/** Messages that are read at once. */
const PAGE = 50
/** Characters of messages whose words are added in one transaction; a single message may have as many. */
const CHARACTERS_AT_ONCE = 64_000
/** Characters whose words are made without a look at the clock: a millisecond or two. */
const PIECE = 2_000
/** Time between two yields to the event loop. */
const STEP_MS = 5
/** After so many failures the database itself is at fault. */
const MOST_FAILURES = 10

export interface Indexing {
  /** Undefined: the messages of all users, one user's after the other's; the newest first. */
  user_id?: string
  /** Ends after the step in which this time is over. */
  ms: number
  signal?: AbortSignal
}

interface Pending {
  id: number
  user_id: string
  content: string
}

/**
 * Adds messages to the index that are not in it yet; triggers note them. A message that cannot be added leaves the others.
 * @returns how many @throws AggregateError
 */
export async function indexMessages(db: Db, { user_id, ms, signal }: Indexing): Promise<number> {
  const until = performance.now() + ms
  const isOver = () => performance.now() >= until || signal?.aborted === true
  const failures: unknown[] = []
  let indexed = 0
  let last: Pending | undefined
  for (let isLast = false; !isLast && !isOver();) {
    const pending = await listPending(db, user_id, last)
    isLast = pending.length < PAGE
    for (const batch of batchesOf(pending)) {
      last = batch.at(-1)
      indexed += await addOrEach(db, batch, failures)
      if (isOver() || failures.length >= MOST_FAILURES) break
    }
    isLast ||= failures.length >= MOST_FAILURES
  }
  if (failures.length > 0) throw new AggregateError(failures, 'Messages could not be indexed', { cause: failures[0] })
  return indexed
}

async function listPending(db: Db, userId: string | undefined, last: Pending | undefined): Promise<Pending[]> {
  let query = db
    .selectFrom('message_index')
    .innerJoin('messages', 'messages.id', 'message_index.message_id')
    .select(['message_index.id', 'message_index.user_id'])
    .select(sql<string>`substr(messages.content, 1, ${sql.lit(INDEXED_CHARACTERS)})`.as('content'))
    // Literally: the partial index is used for this value only.
    .where('message_index.indexed', '=', sql.lit(0))
    .limit(PAGE)
  if (userId === undefined) {
    query = query.orderBy('message_index.user_id').orderBy('message_index.id')
    if (last)
      query = query.where(sql<boolean>`(message_index.user_id, message_index.id) > (${last.user_id}, ${last.id})`)
  } else {
    query = query.where('message_index.user_id', '=', userId).orderBy('message_index.id', 'desc')
    if (last) query = query.where('message_index.id', '<', last.id)
  }
  return query.execute()
}

function* batchesOf(pending: readonly Pending[]): Generator<Pending[]> {
  let batch: Pending[] = []
  let characters = 0
  for (const each of pending) {
    if (batch.length > 0 && characters + each.content.length > CHARACTERS_AT_ONCE) {
      yield batch
      batch = []
      characters = 0
    }
    batch.push(each)
    characters += each.content.length
  }
  if (batch.length > 0) yield batch
}

/** Adds a batch; when that fails, each message alone. */
async function addOrEach(db: Db, batch: readonly Pending[], failures: unknown[]): Promise<number> {
  try {
    return await add(db, batch)
  } catch (error) {
    if (batch.length === 1) failures.push(error)
    let added = 0
    if (batch.length > 1)
      for (const each of batch) if (failures.length < MOST_FAILURES) added += await addOrEach(db, [each], failures)
    return added
  }
}

/** The words are made before the transaction, which locks rows, and on SQLite the database. */
async function add(db: Db, batch: readonly Pending[]): Promise<number> {
  const made = new Map<number, { id: number; user_id: string; words: string[] }>()
  for (const { id, user_id, content } of batch) made.set(id, { id, user_id, words: await wordsOf(content) })
  const added = await db.transaction().execute(async (tx) => {
    const rows = await tx
      .selectFrom('message_index')
      .select('id')
      .where('id', 'in', [...made.keys()])
      .where('indexed', '=', 0)
      .forUpdate()
      .skipLocked()
      .execute()
    if (rows.length === 0) return 0
    const ids = rows.map(({ id }) => id)
    await differencesOf(tx).words.add(
      tx,
      ids.map((id) => made.get(id)!),
    )
    await tx.updateTable('message_index').set({ indexed: 1 }).where('id', 'in', ids).execute()
    return ids.length
  })
  await yieldToEventLoop()
  return added
}

async function wordsOf(content: string): Promise<string[]> {
  const words: string[] = []
  let yieldAt = performance.now() + STEP_MS
  for (const { text } of piecesOf(content, PIECE)) {
    for (const word of indexWords(text)) words.push(word)
    if (performance.now() < yieldAt) continue
    await yieldToEventLoop()
    yieldAt = performance.now() + STEP_MS
  }
  return words
}

// The full-text index over messages, as an interface: each dialect implements it. Words are made by this program, the same on
// both databases, and every statement is restricted to the messages of one user.
import { createHash } from 'node:crypto'
import { sql, type RawBuilder } from 'kysely'
import type { SearchWord } from '../contracts/search-words.ts'
import type { Db, Tx } from './schema.ts'

/** Matches that are ranked: each costs a microsecond or two. */
export const MOST_RANKED = 400
/** A longer message is found by its beginning, in characters. */
export const INDEXED_CHARACTERS = 64_000

/** Whose messages are searched: of all agents, or of one. */
export interface Searched {
  user_id: string
  agent_id?: string | undefined
}

export interface MessageWords {
  /** Adds messages by their ids in `message_index`. */
  add(tx: Tx, messages: readonly { id: number; user_id: string; words: readonly string[] }[]): Promise<void>
  /** In how many messages of a user each word is, counted up to one more than `MOST_RANKED`. */
  count(db: Db, of: Searched, words: readonly SearchWord[]): Promise<number[]>
  /** Ids of `message_index` with any of the words, best first. */
  best(db: Db, of: Searched, words: readonly SearchWord[]): Promise<number[]>
  /** Ids of `message_index` with all of the words, newest first. */
  newest(db: Db, of: Searched, words: readonly SearchWord[]): Promise<number[]>
}

/** A user as a word that no text contains. */
export function spaceOf(userId: string): string {
  return createHash('sha256').update(userId).digest('hex').slice(0, 32)
}

/**
 * A further condition of a search, which must hold before its limit: the agent of the turn. It is no term of the index, because the
 * orchestrator may choose the agent after the message is indexed. As a subquery it is looked up for each match, never joined.
 */
export function ofAgent(id: string, { agent_id }: Searched): RawBuilder<unknown> {
  if (agent_id === undefined) return sql``
  return sql`and ${agent_id} = (select turns.agent_id from message_index
    join messages on messages.id = message_index.message_id join turns on turns.id = messages.turn_id
    where message_index.id = ${sql.ref(id)})`
}

// The full-text index over messages, as an interface: each dialect implements it. Words are made by this program, the same on
// both databases, and every statement is restricted to the messages of one user.
import { createHash } from 'node:crypto'
import type { SearchWord } from '../contracts/search-words.ts'
import type { Db, Tx } from './schema.ts'

/** Matches that are ranked: each costs a microsecond or two. */
export const MOST_RANKED = 400

export interface MessageWords {
  /** Adds messages by their ids in `message_index`. */
  add(tx: Tx, messages: readonly { id: number; user_id: string; words: readonly string[] }[]): Promise<void>
  /** In how many messages of a user each word is, counted up to one more than `MOST_RANKED`. */
  count(db: Db, userId: string, words: readonly SearchWord[]): Promise<number[]>
  /** Ids of `message_index` with any of the words, best first. */
  best(db: Db, userId: string, words: readonly SearchWord[]): Promise<number[]>
  /** Ids of `message_index` with all of the words, newest first. */
  newest(db: Db, userId: string, words: readonly SearchWord[]): Promise<number[]>
}

/** A user as a word that no text contains. */
export function spaceOf(userId: string): string {
  return createHash('sha256').update(userId).digest('hex').slice(0, 32)
}

// Search in the messages of a user by their words: find, and read what is found.
import { sql } from 'kysely'
import type { SearchWord } from '../../contracts/search-words.ts'
import { differencesOf } from '../dialect.ts'
import { INDEXED_CHARACTERS, MOST_RANKED, type Searched } from '../message-words.ts'
import type { Db, MessagesTable } from '../schema.ts'

/** Ids of `message_index`, best first. Words that are in very many messages count only where there are no others. */
export async function matchMessages(db: Db, of: Searched, query: readonly SearchWord[]): Promise<number[]> {
  const { words } = differencesOf(db)
  if (query.length === 0) return []
  const counts = await words.count(db, of, query)
  const known = query
    .map((word, index) => ({ word, count: counts[index] ?? 0 }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => a.count - b.count)
  let ranked = 0
  const rare = known.filter(({ count }) => (ranked += count) <= MOST_RANKED).map(({ word }) => word)
  if (rare.length > 0) return words.best(db, of, rare)
  return known.length > 0
    ? words.newest(
        db,
        of,
        known.map(({ word }) => word),
      )
    : []
}

export type FoundMessage = Pick<MessagesTable, 'id' | 'conversation_id' | 'created_at'> & {
  /** In `message_index`. */
  index_id: number
}

/**
 * Of messages, those that the user may find. What is left out of pages must be left out here: this is the only place that
 * decides what a search shows.
 */
export async function findSearchable(
  db: Db,
  { user_id, agent_id }: Searched,
  found: { index_ids: readonly number[]; message_ids: readonly string[] },
): Promise<FoundMessage[]> {
  const read = async (column: 'message_index.id' | 'message_index.message_id', ids: readonly (number | string)[]) => {
    if (ids.length === 0) return []
    const rows = await db
      .selectFrom('message_index')
      .innerJoin('messages', 'messages.id', 'message_index.message_id')
      .innerJoin('turns', 'turns.id', 'messages.turn_id')
      .select([
        'message_index.id as index_id',
        'message_index.user_id',
        'messages.id',
        'messages.conversation_id',
        'messages.created_at',
        'messages.role',
        'messages.status',
        'turns.agent_id',
        'turns.superseded_by',
      ])
      .where(column, 'in', ids)
      .execute()
    // The owner is compared here: with it in the statement SQLite may read all messages of the user.
    return rows.filter(
      (row) =>
        row.user_id === user_id &&
        (agent_id === undefined || row.agent_id === agent_id) &&
        row.superseded_by === null &&
        // A message that was never accepted.
        !(row.role === 'user' && row.status === 'failed'),
    )
  }
  const rows = [
    ...(await read('message_index.id', found.index_ids)),
    ...(await read('message_index.message_id', found.message_ids)),
  ]
  return [...new Map(rows.map((row) => [row.id, row])).values()]
}

/** The beginnings of messages, as far as they are indexed, by id: longer ones are not read as a whole. */
export async function readBeginnings(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('messages')
    .select(['id', sql<string>`substr(content, 1, ${sql.lit(INDEXED_CHARACTERS)})`.as('content')])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(({ id, content }) => [id, content]))
}

/** The agents that remember something of a user, or the given one of them. */
export async function listRememberingAgents(db: Db, { user_id, agent_id }: Searched, limit: number): Promise<string[]> {
  let query = db.selectFrom('memories').select('agent_id').distinct().where('user_id', '=', user_id).limit(limit)
  if (agent_id !== undefined) query = query.where('agent_id', '=', agent_id)
  const rows = await query.execute()
  return rows.map((row) => row.agent_id)
}

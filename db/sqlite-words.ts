// The full-text index over messages on SQLite: a contentless FTS5 table.
import { sql } from 'kysely'
import type { SearchWord } from '../contracts/search-words.ts'
import { MOST_RANKED, ofAgent, spaceOf, type MessageWords } from './message-words.ts'

/** The last of a word's letters may be open. Words have letters, digits and marks only. */
const quoted = ({ text, isPrefix }: SearchWord) => `"${text}"${isPrefix ? '*' : ''}`
const matchOf = (userId: string, words: readonly SearchWord[], operator: 'AND' | 'OR') =>
  `space : "${spaceOf(userId)}" AND content : (${words.map(quoted).join(` ${operator} `)})`

export const sqliteWords: MessageWords = {
  async add(tx, messages) {
    for (const { id, user_id, words } of messages)
      await sql`insert into message_words (rowid, content, space)
        values (${id}, ${words.join(' ')}, ${spaceOf(user_id)})`.execute(tx)
  },

  async count(db, of, words) {
    const matches = JSON.stringify(words.map((word) => matchOf(of.user_id, [word], 'OR')))
    const { rows } = await sql<{ messages: number }>`select (select count(*) from (
        select 1 from message_words where message_words match value ${ofAgent('message_words.rowid', of)}
        limit ${MOST_RANKED + 1})) as messages
      from json_each(${matches}) order by key`.execute(db)
    return rows.map(({ messages }) => messages)
  },

  async best(db, of, words) {
    const { rows } = await sql<{ id: number }>`select rowid as id from message_words
      where message_words match ${matchOf(of.user_id, words, 'OR')} and rank match 'bm25(1.0, 0.0)'
      ${ofAgent('message_words.rowid', of)}
      order by rank, rowid desc limit ${MOST_RANKED}`.execute(db)
    return rows.map(({ id }) => id)
  },

  async newest(db, of, words) {
    const { rows } = await sql<{ id: number }>`select rowid as id from message_words
      where message_words match ${matchOf(of.user_id, words, 'AND')}
      ${ofAgent('message_words.rowid', of)}
      order by rowid desc limit ${MOST_RANKED}`.execute(db)
    return rows.map(({ id }) => id)
  },
}

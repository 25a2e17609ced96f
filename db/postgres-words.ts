// The full-text index over messages on Postgres: tsvectors with the user as a term, under a GIN index.
import { sql } from 'kysely'
import type { SearchWord } from '../contracts/search-words.ts'
import { MOST_RANKED, ofAgent, spaceOf, type MessageWords } from './message-words.ts'

/** The last position that a tsvector holds. */
const LAST_POSITION = 16_383
/** A tsvector holds 1,048,575 bytes: the words as they are read, and as they are stored with their positions. */
const MOST_BYTES = 1_000_000
const BYTES_A_POSITION = 5

/** Words as a tsvector, in its text form; of too many the first ones. */
export function tsvectorOf(words: readonly string[], weight: 'A' | 'D' | '' = ''): string {
  const terms: string[] = []
  let bytes = 0
  for (const word of words) {
    bytes += Buffer.byteLength(word) + BYTES_A_POSITION
    if (bytes > MOST_BYTES) break
    terms.push(`'${word}':${Math.min(terms.length + 1, LAST_POSITION)}${weight}`)
  }
  return terms.join(' ')
}

/** Words have letters, digits and marks only. */
const lexeme = ({ text, isPrefix }: SearchWord) => `'${text}'${isPrefix ? ':*' : ''}`
const queryOf = (userId: string, words: readonly SearchWord[], operator: '&' | '|') =>
  `'/${spaceOf(userId)}' & (${words.map(lexeme).join(` ${operator} `)})`

export const postgresWords: MessageWords = {
  async add(tx, messages) {
    const vectors = messages.map(({ user_id, words }) => `'/${spaceOf(user_id)}' ${tsvectorOf(words)}`)
    await sql`insert into message_words (id, words)
      select * from unnest(${messages.map(({ id }) => id)}::bigint[], ${vectors}::tsvector[])
      on conflict (id) do nothing`.execute(tx)
  },

  async count(db, of, words) {
    const { rows } = await sql<{ messages: number }>`select (select count(*) from (
        select from message_words where words @@ asked::tsquery ${ofAgent('message_words.id', of)}
        limit ${MOST_RANKED + 1}) counted) as messages
      from unnest(${words.map((word) => queryOf(of.user_id, [word], '|'))}::text[]) with ordinality as asked (asked, place)
      order by place`.execute(db)
    return rows.map(({ messages }) => messages)
  },

  async best(db, of, words) {
    const query = queryOf(of.user_id, words, '|')
    const { rows } = await sql<{ id: number }>`with found as materialized (
        select id, ts_rank(words, ${query}::tsquery, 1) as rank from message_words where words @@ ${query}::tsquery
        ${ofAgent('message_words.id', of)} limit ${MOST_RANKED})
      select id from found order by rank desc, id desc`.execute(db)
    return rows.map(({ id }) => id)
  },

  async newest(db, of, words) {
    const { rows } = await sql<{ id: number }>`with found as materialized (
        select id from message_words where words @@ ${queryOf(of.user_id, words, '&')}::tsquery
        ${ofAgent('message_words.id', of)})
      select id from found order by id desc limit ${MOST_RANKED}`.execute(db)
    return rows.map(({ id }) => id)
  },
}

// The tsquery of a query: matches its rarer words and ranks by all of them, in bounded time.
import { sql, type RawBuilder } from 'kysely'
import { indexWords, type SearchWord } from '../../contracts/search-words.ts'
import { tsvectorOf } from '../../db/postgres-words.ts'
import type { Db } from '../../db/schema.ts'
import { type Uncounted, type WordCount, WordCounts } from '../word-counts.ts'

/** Limit of ranked chunks: each costs a few microseconds per word. */
const MOST_RANKED = 400
/** Limit of ranking words. */
const MOST_RANKING = 8
/** Limit of matched chunks when all words are common. */
export const MOST_MATCHED = 5 * MOST_RANKED

/** A text as a tsvector, in its text form: the words are made by this program, not by a configuration of Postgres. */
export function toVector(text: string, weight: 'A' | 'D'): string {
  return tsvectorOf(indexWords(text), weight)
}

/** A space as a term of the full-text index; no text can contain it, because of its first character. */
export const spaceLexeme = (space: string): string => `/${space}`

const spaceQuery = (space: string): string => `'${spaceLexeme(space)}'`

export interface WordsMatch {
  /** A tsquery. */
  match: string
  /** Rank of a chunk; higher is better. */
  rank: RawBuilder<number>
}

/** One cache per database. */
export const wordCounts = () => new WordCounts(MOST_RANKED)

/** @returns undefined when the words do not discriminate between chunks */
export async function matchOf(
  db: Db,
  counts: WordCounts,
  spaces: string[],
  words: SearchWord[],
): Promise<WordsMatch | undefined> {
  const within = `(${spaces.map(spaceQuery).join(' | ')})`
  const known = await counts.count(spaces, words.map(lexeme), async (uncounted) => {
    const columns = [
      uncounted.map(({ space }) => space),
      uncounted.map(({ space }) => spaceQuery(space)),
      uncounted.map(({ asked }) => asked),
    ]
    const { rows } = await sql<Uncounted & WordCount>`
      select space, asked, asked as word, (select count(*) from (
        select from chunk_words where words @@ (within && asked::tsquery) limit ${MOST_RANKED + 1}) counted) as chunks
      from (select space, within::tsquery as within, asked
        from unnest(${sql.join(columns.map((column) => sql`${column}::text[]`))}) uncounted (space, within, asked)) queries`.execute(
      db,
    )
    return rows
  })
  const rare: string[] = []
  let ranked = 0
  for (const { word, chunks } of known) {
    ranked += chunks
    if (ranked > MOST_RANKED) break
    rare.push(word)
  }
  const all = known.slice(0, MOST_RANKING)
  if (all.length === 0) return undefined
  // Postgres has no inverse document frequency; a heading (A) counts one and a half times, as on SQLite.
  const ranks = all.map(
    ({ word, chunks }) =>
      sql`${1 / (1 + Math.log(chunks))}::float8 * ts_rank('{0.6, 0.6, 0.6, 0.9}', chunk_words.words, ${word}::tsquery, 1)`,
  )
  const rank = sql<number>`(${sql.join(ranks, sql` + `)})`
  const having = (match: string): WordsMatch => ({ match: `${within} & (${match})`, rank })
  if (rare.length > 0) return having(rare.join(' | '))
  // Common words only, whose counts are cut off: chunks with several of them match; longer words weigh more.
  return having(
    all
      .slice(0, 3)
      .map(({ word }) => word)
      .join(' & '),
  )
}

/** A lexeme of a tsquery: words are letters and digits, never syntax. */
const lexeme = ({ text, isPrefix }: SearchWord) => `'${text}'${isPrefix ? ':*' : ''}`

// The tsquery of a question: matches its rarer words and ranks by all of them, in bounded time.
import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../../db/schema.ts'
import { type Uncounted, type WordCount, WordCounts } from '../word-counts.ts'
import { spaced } from '../terms.ts'

/** Limit of ranked chunks: each costs a few microseconds per word. */
const MOST_RANKED = 400
/** Limit of ranking words. */
const MOST_RANKING = 8
/** Limit of matched chunks when all words are common. */
export const MOST_MATCHED = 5 * MOST_RANKED

/**
 * Like FTS5's porter on SQLite: English words are stemmed, and words of other languages and scripts
 * are nearly unchanged ('simple' would find neither "ship" by "ships").
 */
export const WORDS_CONFIG = sql.lit('english')

/** Words only, without accents and punctuation, so that Postgres's parser sees no hosts, paths or signs in them. */
export function foldedWords(text: string): string {
  const plain = spaced(text)
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
  return (plain.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).join(' ')
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

/** @param words of letters and digits only. @returns undefined when they do not discriminate between chunks */
export async function matchOf(
  db: Db,
  counts: WordCounts,
  spaces: string[],
  words: string[],
): Promise<WordsMatch | undefined> {
  const within = `(${spaces.map(spaceQuery).join(' | ')})`
  const known = await counts.count(spaces, words.map(foldedWords), async (uncounted) => {
    const columns = [
      uncounted.map(({ space }) => space),
      uncounted.map(({ space }) => spaceQuery(space)),
      uncounted.map(({ asked }) => asked),
    ]
    const { rows } = await sql<Uncounted & WordCount>`
      select space, asked, '(' || query::text || ')' as word, (select count(*) from (
        select from chunk_words where words @@ (within && query) limit ${MOST_RANKED + 1}) counted) as chunks
      from (select space, within::tsquery as within, asked, plainto_tsquery(${WORDS_CONFIG}, asked) as query
        from unnest(${sql.join(columns.map((column) => sql`${column}::text[]`))}) uncounted (space, within, asked)) queries
      where numnode(query) > 0`.execute(db)
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

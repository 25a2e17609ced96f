// The FTS5 query of a query: matches its rarer words and ranks by all of them, in bounded time.
import { sql } from 'kysely'
import type { SearchWord } from '../../contracts/search-words.ts'
import type { Db } from '../../db/schema.ts'
import { WordCounts } from '../word-counts.ts'

/** Limit of ranked chunks: each costs a microsecond or two per word. */
const MOST_RANKED = 400
/** Limit of ranked chunks for a single word; a more frequent one does not discriminate. */
const MOST_ALONE = 5 * MOST_RANKED
/** Limit of ranking words. */
const MOST_RANKING = 8

/** One cache per database. */
export const wordCounts = () => new WordCounts(MOST_RANKED)

/** @returns undefined when the words do not discriminate between chunks */
export async function matchOf(
  db: Db,
  counts: WordCounts,
  space: string,
  words: SearchWord[],
): Promise<string | undefined> {
  const within = `space : "${space}" AND {content heading} : `
  const known = await counts.count([space], words.map(quote), async (uncounted) => {
    const { rows } = await sql<{ word: string; chunks: number }>`select value as word,
      (select count(*) from (select 1 from chunk_words where chunk_words match ${within} || value
        limit ${MOST_ALONE + 1})) as chunks
      from json_each(${JSON.stringify(uncounted.map(({ asked }) => asked))})`.execute(db)
    return rows.map(({ word, chunks }) => ({ space, asked: word, word, chunks }))
  })
  const rare: string[] = []
  let ranked = 0
  for (const { word, chunks } of known) {
    ranked += chunks
    if (ranked > MOST_RANKED) break
    rare.push(word)
  }
  const all = known.slice(0, MOST_RANKING).map(({ word }) => word)
  if (all.length === 0) return undefined
  if (rare.length >= all.length) return `${within}(${rare.join(' OR ')})`
  // Matches chunks with a rare word, ranked by the common ones too.
  if (rare.length > 0) return `${within}((${rare.join(' OR ')}) AND (${all.join(' OR ')}))`
  // Common words only: matches chunks with several of them. A word in nearly every chunk does not discriminate.
  if (all.length === 1) return known[0]!.chunks > MOST_ALONE ? undefined : `${within}${all[0]}`
  return `${within}(${all.slice(0, 3).join(' AND ')})`
}

/** A string literal of FTS5: words are letters and digits, never syntax. */
const quote = ({ text, isPrefix }: SearchWord) => `"${text}"${isPrefix ? '*' : ''}`

// A summary without a language model: the sentences whose words the text has most often, in its own order.
import { COMMON, sentencesOf, wordsOf } from './offline.ts'

/** Sentences of fewer or more words, common ones left out, are headings, fragments or lists. */
const SHORTEST = 3
const LONGEST = 60
/** Only so many sentences are weighed. */
const MOST_SENTENCES = 5_000

/** @param most sentences at most */
export function extractSummary(text: string, most: number): string {
  const sentences = sentencesOf(text.replaceAll(/^#{1,6} .*$/gm, ''))
    .slice(0, MOST_SENTENCES)
    .map((sentence) => ({
      sentence,
      words: [...new Set(wordsOf(sentence).filter((word) => !COMMON.has(word)))],
    }))
  const frequency = new Map<string, number>()
  for (const { words } of sentences) for (const word of words) frequency.set(word, (frequency.get(word) ?? 0) + 1)
  const fit = sentences.filter(({ words }) => words.length >= SHORTEST && words.length <= LONGEST)
  const weighed = (fit.length > 0 ? fit : sentences).map(({ sentence, words }, place) => ({
    sentence,
    place,
    // Its mean word, and a little for standing early: texts say first what they are about.
    weight:
      words.reduce((sum, word) => sum + Math.log(1 + frequency.get(word)!), 0) / Math.max(SHORTEST, words.length) +
      1 / (2 + place),
  }))
  const chosen = weighed.toSorted((a, b) => b.weight - a.weight || a.place - b.place).slice(0, most)
  const seen = new Set<string>()
  return chosen
    .toSorted((a, b) => a.place - b.place)
    .map(({ sentence }) => sentence)
    .filter((sentence) => !seen.has(sentence) && seen.add(sentence))
    .join(' ')
}

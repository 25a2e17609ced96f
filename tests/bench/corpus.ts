// Text of made-up words for the benches: the same in every run, with few frequent words and many rare ones, as in a language.

const SYLLABLES = 'ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu'.split(' ')
const VOCABULARY = 20_000

let state = 1

/** A number below a limit; small ones are more frequent. */
function below(limit: number): number {
  state = (state * 48_271) % 2_147_483_647
  return Math.floor((state / 2_147_483_647) ** 3 * limit)
}

function word(rank: number): string {
  let rest = rank + SYLLABLES.length
  let text = ''
  for (; rest > 0; rest = Math.floor(rest / SYLLABLES.length)) text += SYLLABLES[rest % SYLLABLES.length]
  return text
}

/** @param vocabulary how many of the most frequent words it is made from */
export function sentence(words: number, vocabulary = VOCABULARY): string {
  return Array.from({ length: words }, () => word(below(vocabulary))).join(' ')
}

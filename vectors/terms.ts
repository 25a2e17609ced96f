// Text as words for a full-text index: input for a tokenizer that splits at spaces, and the significant words of a question.
import { STOP_WORDS } from '../contracts/stop-words.ts'

/** Scripts that write without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu
const MOST_WORDS = 16
/** Characters of a question that are read. */
const MOST_CHARACTERS = 4_000

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/** The text with spaces between the words of scripts without word separators. */
export function spaced(text: string): string {
  return text.replace(UNSPACED, (run) => ` ${[...segmenter.segment(run)].map(({ segment }) => segment).join(' ')} `)
}

/** The words of a question, without punctuation and stop words, unless there are no others. */
export function wordsOfQuestion(question: string): string[] {
  const words =
    spaced(question.slice(0, MOST_CHARACTERS))
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  const distinct = [...new Set(words)]
  const telling = distinct.filter((word) => !STOP_WORDS.has(word))
  return (telling.length > 0 ? telling : distinct).slice(0, MOST_WORDS)
}

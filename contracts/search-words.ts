// Text as words of the full-text indexes: the same on every database, whose own tokenizers differ.
import { stemmer } from 'stemmer'
import { STOP_WORDS } from './stop-words.ts'

/** Letters of scripts whose words are found by pairs: those without spaces, and Hangul, whose words carry endings. */
const PAIRED = String.raw`[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{Nl}]]`
/** Runs of these with their marks, and of other letters and digits. */
const RUNS = new RegExp(String.raw`(?<pairs>(?:${PAIRED}\p{M}*)+)|[[\p{L}\p{N}\p{M}]--${PAIRED}]+`, 'gv')
/** Accents of Latin, Greek and Cyrillic letters; points of Hebrew and Arabic ones. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]+/g
const RAISED = /[\u00b2\u00b3\u00b9\u2070-\u209c]+/g
const BESIDE_WORDS = /[\s\p{P}]/u
const LOW_SURROGATE = /[\udc00-\udfff]/
const ENGLISH = /^[a-z]+$/
/** Longest word, in UTF-16 code units: at most 192 bytes. */
const MAX_WORD = 64
const MAX_QUERY_WORDS = 16
/** Characters of a query that are read. */
const MAX_QUERY = 4_000

const FOLDED_STOP_WORDS = new Set(Array.from(STOP_WORDS, foldText))

/** A word of a query as it stands in the index. */
export interface SearchWord {
  text: string
  /** One character of a script that is indexed by pairs: it is found as the first of a pair. */
  isPrefix: boolean
}

/**
 * The words of a text in their order: compatibility forms (NFKC), case and accents folded, English words by their stem. A run of
 * a script without spaces gives its pairs of characters, then its last character.
 */
export function indexWords(text: string): string[] {
  return Array.from(placedWords(foldText(text)), ({ word }) => word)
}

/** The words of a folded text, with where they begin in it. */
export function* placedWords(folded: string): Generator<{ word: string; at: number }> {
  for (const run of runsOf(folded)) {
    if (!run.isPairs) {
      yield { word: stemOf(run.text), at: run.at }
      continue
    }
    const characters = charactersOf(run.text)
    let { at } = run
    for (const [index, character] of characters.entries()) {
      yield { word: cut(character + (characters[index + 1] ?? '')), at }
      at += character.length
    }
  }
}

/**
 * Parts of a text of up to so many characters, so that its words can be made in steps. Cut after a space or punctuation; where
 * there is none, the last character of a part is the first of the next one, as of the pairs.
 */
export function* piecesOf(text: string, size: number): Generator<{ at: number; text: string }> {
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + size)
    let next = end
    if (end < text.length) {
      while (end > at + size / 2 && !BESIDE_WORDS.test(text[end - 1]!)) end -= 1
      const isCutBesideWords = end > at + size / 2
      if (!isCutBesideWords) end = LOW_SURROGATE.test(text[next]!) ? next - 1 : next
      next = isCutBesideWords ? end : end - (LOW_SURROGATE.test(text[end - 1]!) ? 2 : 1)
    }
    yield { at, text: text.slice(at, end) }
    at = next
  }
}

/** The distinct words of a query, without stop words, unless there are no others. */
export function queryWords(query: string): SearchWord[] {
  const runs = runsOf(foldText(query.slice(0, MAX_QUERY).toWellFormed()))
  const telling = runs.filter(({ text }) => !FOLDED_STOP_WORDS.has(text))
  const words = new Map<string, SearchWord>()
  for (const run of telling.length > 0 ? telling : runs) {
    for (const word of run.isPairs ? pairsOf(run.text) : [{ text: stemOf(run.text), isPrefix: false }])
      if (words.size < MAX_QUERY_WORDS) words.set(word.text, word)
  }
  return [...words.values()]
}

function pairsOf(run: string): SearchWord[] {
  const characters = charactersOf(run)
  if (characters.length === 1) return [{ text: cut(characters[0]!), isPrefix: true }]
  return characters.slice(1).map((next, at) => ({ text: cut(characters[at]! + next), isPrefix: false }))
}

function runsOf(folded: string): { text: string; at: number; isPairs: boolean }[] {
  return Array.from(folded.matchAll(RUNS), ({ 0: run, index, groups }) => ({
    text: run,
    at: index,
    isPairs: groups?.pairs !== undefined,
  }))
}

/** Compatibility forms, case and accents. */
export function foldText(text: string): string {
  return (
    text
      // "10⁶" is not "106".
      .replace(RAISED, (raised) => ` ${raised} `)
      .normalize('NFKD')
      // Upper case first: it has one form of "ß" and "ss".
      .toUpperCase()
      .toLowerCase()
      .normalize('NFKD')
      .replace(ACCENTS, '')
      .normalize('NFC')
  )
}

/** With their marks: vowels and tones of Thai. */
function charactersOf(run: string): string[] {
  return run.match(/.\p{M}*/gsu) ?? []
}

function stemOf(word: string): string {
  const short = cut(word)
  return ENGLISH.test(short) ? stemmer(short) : short
}

/** Bounds a word, whose marks may be any number: Postgres accepts at most 2,046 bytes. Never cuts through a code point. */
function cut(word: string): string {
  return word.length > MAX_WORD ? word.slice(0, MAX_WORD).toWellFormed() : word
}

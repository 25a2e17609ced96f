// The part of a text that answers a question: around the most of its words.
import { foldText, piecesOf, placedWords, type SearchWord } from './search-words.ts'

const SNIPPET_CHARACTERS = 240
/** Of a longer text the beginning is looked at, in characters. */
const READ_CHARACTERS = 64_000
/** Characters that are folded at once: folding may change the length, so that places are exact to this. */
const PIECE = 200
/** Pieces whose words are made: 8,000 characters. The others are only searched for the letters of a word. */
const MOST_READ = 40
const ENGLISH = /^[a-z]{2,}$/

export interface Snippet {
  text: string
  /** The share of the question's words that are in the text, from 0 to 1. */
  coverage: number
}

export function snippetOf(content: string, question: readonly SearchWord[]): Snippet {
  const places = placesOf(content.slice(0, READ_CHARACTERS), question)
  const coverage = question.length === 0 ? 0 : new Set(places.map(({ word }) => word)).size / question.length
  return { text: around(content, bestStart(places)), coverage }
}

interface Place {
  at: number
  word: string
}

function placesOf(content: string, question: readonly SearchWord[]): Place[] {
  const places: Place[] = []
  // A stem may end in another letter than its words: "poni" and "pony".
  const beginnings = question.map(({ text }) => (ENGLISH.test(text) ? text.slice(0, -1) : text))
  let read = 0
  for (const piece of piecesOf(content, PIECE)) {
    const folded = foldText(piece.text)
    if (!beginnings.some((letters) => folded.includes(letters))) continue
    for (const { word, at } of placedWords(folded)) {
      for (const { text, isPrefix } of question)
        if (isPrefix ? word.startsWith(text) : word === text)
          places.push({ at: piece.at + Math.min(at, piece.text.length - 1), word: text })
    }
    read += 1
    if (read === MOST_READ) break
  }
  return places
}

/** Where the window with the most different words begins. */
function bestStart(places: readonly Place[]): number {
  let best = { at: 0, words: 0 }
  let end = 0
  const within = new Map<string, number>()
  for (const [from, { at, word }] of places.entries()) {
    for (; end < places.length && places[end]!.at < at + SNIPPET_CHARACTERS * 0.8; end += 1)
      within.set(places[end]!.word, (within.get(places[end]!.word) ?? 0) + 1)
    if (within.size > best.words) best = { at, words: within.size }
    const left = (within.get(word) ?? 1) - 1
    if (left > 0) within.set(word, left)
    else within.delete(word)
    end = Math.max(end, from + 1)
  }
  return best.at
}

/** A part of the text from a little before a place, cut between words, on one line. */
function around(content: string, at: number): string {
  const lead = Math.floor(SNIPPET_CHARACTERS * 0.2)
  let from = at <= lead ? 0 : at - lead
  if (from > 0) from = nextWord(content, from, at)
  let to = Math.min(content.length, from + SNIPPET_CHARACTERS)
  if (to < content.length) {
    const space = content.lastIndexOf(' ', to)
    if (space > from + SNIPPET_CHARACTERS / 2) to = space
  }
  const text = content.slice(from, to).toWellFormed().replaceAll(/\s+/g, ' ').trim()
  return `${from > 0 ? '…' : ''}${text}${to < content.length ? '…' : ''}`
}

function nextWord(content: string, from: number, at: number): number {
  const space = content.slice(from, at).search(/\s/)
  return space === -1 ? from : from + space + 1
}

// The local embedder, which needs no key, network or model: signed feature hashing of words, stems and pieces of words.
// It finds the same and similar words, not the same meaning (docs/embeddings.md).
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { STOP_WORDS } from '../contracts/stop-words.ts'
import type { Embedder } from './embedder.ts'
import { normalize } from './embedder-vectors.ts'

const DIMENSION = 384
/** Longest stretch of work before others get their turn, in milliseconds. */
const SLICE_MS = 8
/** More of one text is not looked at, in characters. */
const MOST_CHARACTERS = 20_000

/** Measured with LoCoMo (docs/benchmarks.md): words find more in messages, so these vectors order and add to what words leave open. */
const MESSAGE_WEIGHT = 0.01

const STEM_WEIGHT = 1
const WORD_WEIGHT = 0.4
/** Shared by all pieces of a word. */
const PIECES_WEIGHT = 0.6
const STOP_WEIGHT = 0.1
const PIECE_LENGTH = 3

/** Scripts that write without spaces: there a word is taken to be a character and each pair of them. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

export function hashingEmbedder(): Embedder {
  return {
    model: `hashing-${DIMENSION}`,
    dimension: DIMENSION,
    isCostly: false,
    message_weight: MESSAGE_WEIGHT,
    async embed(texts, signal) {
      const vectors: Float32Array[] = []
      let since = performance.now()
      for (const text of texts) {
        vectors.push(embedText(text))
        if (performance.now() - since < SLICE_MS) continue
        await yieldToOthers()
        signal.throwIfAborted()
        since = performance.now()
      }
      return vectors
    },
  }
}

function embedText(text: string): Float32Array {
  const counts = new Map<number, { count: number; weight: number }>()
  const add = (feature: string, weight: number) => {
    const hash = hashOf(feature)
    const known = counts.get(hash)
    if (known) known.count++
    else counts.set(hash, { count: 1, weight })
  }
  for (const word of wordsOf(text)) addWord(word, add)
  const vector = new Float32Array(DIMENSION)
  for (const [hash, { count, weight }] of counts) {
    // The highest bit is the sign, so that features which meet in one place cancel out as often as they add up.
    const place = (hash & 0x7fff_ffff) % DIMENSION
    vector[place]! += (hash < 0 ? -1 : 1) * weight * (1 + Math.log(count))
  }
  return normalize(vector)
}

function addWord(word: string, add: (feature: string, weight: number) => void): void {
  if (UNSPACED.test(word)) {
    const characters = Array.from(word)
    characters.forEach((character, index) => {
      add(`c ${character}`, STEM_WEIGHT / 2)
      if (index > 0) add(`c ${characters[index - 1]}${character}`, STEM_WEIGHT)
    })
    return
  }
  if (STOP_WORDS.has(word)) return add(`w ${word}`, STOP_WEIGHT)
  // Long words are rarer, and say more.
  const importance = 0.6 + 0.4 * Math.min(1, word.length / 8)
  add(`s ${stemOf(word)}`, STEM_WEIGHT * importance)
  add(`w ${word}`, WORD_WEIGHT * importance)
  const framed = `^${word}$`
  const pieces = framed.length - PIECE_LENGTH + 1
  for (let start = 0; start < pieces; start++)
    add(`p ${framed.slice(start, start + PIECE_LENGTH)}`, (PIECES_WEIGHT * importance) / Math.sqrt(pieces))
}

function wordsOf(text: string): string[] {
  const plain = text
    .slice(0, MOST_CHARACTERS)
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
  return plain.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}

/** A word without its commonest endings: rough, but the same for the forms of most words. */
function stemOf(word: string): string {
  if (word.length < 5 || /\d/.test(word)) return word
  const stem = word
    .replace(/(?:ungen|ung|ations?|ments?|ness|ingly|ings?|edly|ers?|ed|ly|ies|es|em|en|s)$/, '')
    .replace(/([^aeiou])\1$/, '$1')
    .replace(/[eiy]$/, '')
  return stem.length < 3 ? word : stem
}

/** FNV-1a with a last mix, so that every bit depends on every character; 32 bits, signed. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

// Finds the codes that are most like a vector: all are compared with the vector's code, the best of them with the vector itself.
import { codeOf, likenessTable } from '../../db/vector-code.ts'
import type { CodeBlock } from './kept-codes.ts'

/** Codes that are compared with the vector itself for each one that is wanted: with 10 nothing is lost by the first comparison. */
const COARSE_A_RESULT = 10
/** Of a byte. */
const VALUES = 256
/** Words whose differing bits can be counted in the bytes of one word. */
const WORDS_A_COUNT = 16
const HIGH_WORD = 2 ** 32
const LEFT_OUT = 0xffff

/** A vector as it is compared with codes. */
export interface CodeQuery {
  code: Uint32Array
  likeness: Float32Array
}

export function codeQuery(vector: Float32Array): CodeQuery {
  return { code: new Uint32Array(codeOf(vector).buffer), likeness: likenessTable(vector) }
}

/**
 * The ids of the most alike codes, best first, and how many were compared.
 * @param only the ids that count
 */
export function scanCodes(
  blocks: readonly CodeBlock[],
  { code, likeness }: CodeQuery,
  wanted: number,
  only?: ReadonlySet<number>,
): { ids: number[]; compared: number } {
  const { distances, compared, farthest } = coarseDistances(blocks, code, wanted * COARSE_A_RESULT, only)
  const best: { id: number; likeness: number }[] = []
  let next = 0
  for (const { rowids, codes } of blocks) {
    const ids = toWords(rowids)
    for (let place = 0; place < ids.length / 2; place += 1, next += 1) {
      if (distances[next]! > farthest) continue
      best.push({ id: idAt(ids, place), likeness: likenessOf(codes, place * code.byteLength, likeness) })
    }
  }
  const nearest = best.toSorted((a, b) => b.likeness - a.likeness).slice(0, wanted)
  return { ids: nearest.map(({ id }) => id), compared }
}

/** For each place, the number of bits that differ, and the distance within which there are enough codes. */
function coarseDistances(
  blocks: readonly CodeBlock[],
  code: Uint32Array,
  enough: number,
  only?: ReadonlySet<number>,
): { distances: Uint16Array; compared: number; farthest: number } {
  const distances = new Uint16Array(blocks.reduce((sum, { rowids }) => sum + rowids.byteLength / 8, 0)).fill(LEFT_OUT)
  const counts = new Uint32Array(code.length * 32 + 1)
  let next = 0
  for (const { validity, rowids, codes } of blocks) {
    const [ids, words] = [toWords(rowids), toWords(codes)]
    for (let place = 0; place < ids.length / 2; place += 1, next += 1) {
      if ((validity[place >> 3]! & (1 << (place & 7))) === 0) continue
      if (only && !only.has(idAt(ids, place))) continue
      const distance = differingBits(words, place * code.length, code)
      distances[next] = distance
      counts[distance]! += 1
    }
  }
  let within = 0
  let farthest = 0
  for (const [distance, count] of counts.entries()) {
    if (within < enough && count > 0) farthest = distance
    within += count
  }
  return { distances, compared: within, farthest }
}

function toWords({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / Uint32Array.BYTES_PER_ELEMENT)
}

/** Of integers of 64 bits, low word first; a bigint would take ten times as long. */
function idAt(ids: Uint32Array, place: number): number {
  return ids[2 * place]! + ids[2 * place + 1]! * HIGH_WORD
}

/** Counted in the bytes of a word, and these added at the end: twice as fast as counting word by word. */
function differingBits(words: Uint32Array, from: number, code: Uint32Array): number {
  let sum = 0
  for (let start = 0; start < code.length; start += WORDS_A_COUNT) {
    const end = Math.min(start + WORDS_A_COUNT, code.length)
    let bytes = 0
    for (let word = start; word < end; word += 1) {
      const differs = (words[from + word]! ^ code[word]!) | 0
      const pairs = (differs - ((differs >>> 1) & 0x55555555)) | 0
      const nibbles = ((pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)) | 0
      bytes = (bytes + (nibbles & 0x0f0f0f0f) + ((nibbles >>> 4) & 0x0f0f0f0f)) | 0
    }
    const halves = (bytes & 0x00ff00ff) + ((bytes >>> 8) & 0x00ff00ff)
    sum += (halves & 0xffff) + (halves >>> 16)
  }
  return sum
}

/** Four sums, because in one each addition would wait for the one before: three times as fast. */
function likenessOf(codes: Uint8Array, from: number, table: Float32Array): number {
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  for (let row = 0, at = from; row < table.length; row += 4 * VALUES, at += 4) {
    first += table[row + codes[at]!]!
    second += table[row + VALUES + codes[at + 1]!]!
    third += table[row + 2 * VALUES + codes[at + 2]!]!
    fourth += table[row + 3 * VALUES + codes[at + 3]!]!
  }
  return first + second + third + fourth
}

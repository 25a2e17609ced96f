// Binary quantization of vectors: codes of one bit a dimension, compared before the best are rescored by their full vectors (RaBitQ,
// Gao and Long, 2024).

/** Rounds of random signs and a Hadamard transform: after three the result is as good as that of a random rotation. */
const ROUNDS = 3
/** A code is compared by four bytes at once. */
const LEAST_BITS = 32
const SEED = 0x9e3779b9

const signsOf = new Map<number, Float32Array>()

/** Bits of a code: the next power of two, because the transform needs one. */
export function codeBits(dimension: number): number {
  return Math.max(LEAST_BITS, 2 ** Math.ceil(Math.log2(dimension)))
}

/**
 * The signs of the rotated vector. Without the rotation the code of a vector with many zeros, as the local embedder makes them,
 * would say little. Codes are stored: a change of this needs a migration that makes them again.
 */
export function codeOf(vector: Float32Array): Uint8Array {
  const rotated = rotate(vector)
  const code = new Uint8Array(rotated.length / 8)
  for (let at = 0; at < rotated.length; at += 1) if (rotated[at]! > 0) code[at >> 3]! |= 1 << (at & 7)
  return code
}

/**
 * For each byte of a code and each of its values, what it adds to the likeness to the vector: the sum over all bytes grows with
 * the inner product. Only the stored side is reduced to bits, which finds more than comparing two codes.
 */
export function likenessTable(vector: Float32Array): Float32Array {
  const rotated = rotate(vector)
  const table = new Float32Array(rotated.length * 32)
  for (let byte = 0; byte < rotated.length / 8; byte += 1) {
    const from = byte * 256
    for (let bit = 0; bit < 8; bit += 1) table[from]! -= rotated[byte * 8 + bit]!
    // Each value from the one without its highest bit.
    for (let bit = 0; bit < 8; bit += 1) {
      const twice = 2 * rotated[byte * 8 + bit]!
      for (let value = 1 << bit; value < 2 << bit; value += 1)
        table[from + value] = table[from + value - (1 << bit)]! + twice
    }
  }
  return table
}

function rotate(vector: Float32Array): Float32Array {
  const size = codeBits(vector.length)
  const signs = getSigns(size)
  const rotated = new Float32Array(size)
  rotated.set(vector)
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let at = 0; at < size; at += 1) rotated[at]! *= signs[round * size + at]!
    for (let half = 1; half < size; half *= 2) {
      for (let from = 0; from < size; from += 2 * half) {
        for (let at = from; at < from + half; at += 1) {
          const a = rotated[at]!
          const b = rotated[at + half]!
          rotated[at] = a + b
          rotated[at + half] = a - b
        }
      }
    }
  }
  return rotated
}

/** The same in every process: xorshift32. */
function getSigns(size: number): Float32Array {
  const known = signsOf.get(size)
  if (known) return known
  let state = SEED
  const signs = Float32Array.from({ length: ROUNDS * size }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state < 0 ? -1 : 1
  })
  signsOf.set(size, signs)
  return signs
}

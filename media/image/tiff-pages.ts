// Pixels that are not square: faxes have twice as many dots across as down. sharp tells one density only.

const [ACROSS, DOWN] = [282, 283]
/** Ratios that are no mistake. */
const MOST = 4
const MAX_PAGES = 10_000

/**
 * How many times higher a page must be drawn, because its dots are wider apart from top to bottom.
 * @param page from 0
 */
export function stretchOf(bytes: Buffer, page: number): number {
  try {
    const ratio = ratioOf(bytes, page)
    return ratio > 1 / MOST && ratio < MOST && Math.abs(ratio - 1) > 0.02 ? ratio : 1
  } catch (error) {
    // A damaged file is refused by its decoder.
    if (error instanceof RangeError) return 1
    throw error
  }
}

function ratioOf(bytes: Buffer, page: number): number {
  const isLittle = bytes.toString('latin1', 0, 2) === 'II'
  const short = (at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at))
  const long = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  // BigTIFF has another layout.
  if (short(2) !== 42) return 1
  let at = long(4)
  for (let index = 0; index < Math.min(page, MAX_PAGES) && at !== 0; index += 1) at = long(at + 2 + short(at) * 12)
  if (at === 0) return 1
  const density = (tag: number) => {
    for (let entry = 0; entry < short(at); entry += 1) {
      const place = at + 2 + entry * 12
      if (short(place) === tag) return long(long(place + 8)) / long(long(place + 8) + 4)
    }
    return 1
  }
  return density(ACROSS) / density(DOWN)
}

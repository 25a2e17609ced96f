// Pixels that are not square: faxes have twice as many dots across as down. sharp tells one density only.

const [ACROSS, DOWN] = [282, 283]
/** Ratios that are no mistake. */
const MOST = 4
const MAX_PAGES = 10_000

/**
 * How many times higher a picture must be drawn, because its dots are wider apart from top to bottom.
 * @param type its media type
 * @param page from 0
 */
export function stretchOf(bytes: Buffer, type: string, page: number): number {
  try {
    const ratio =
      type === 'image/tiff'
        ? ratioOfTiff(bytes, page)
        : type === 'image/png'
          ? ratioOfPng(bytes)
          : type === 'image/jpeg'
            ? ratioOfJpeg(bytes)
            : 1
    return ratio > 1 / MOST && ratio < MOST && Math.abs(ratio - 1) > 0.02 ? ratio : 1
  } catch (error) {
    // A damaged file is refused by its decoder.
    if (error instanceof RangeError) return 1
    throw error
  }
}

function ratioOfTiff(bytes: Buffer, page: number): number {
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

/** From its chunk `pHYs`, which stands before its pixels. */
function ratioOfPng(bytes: Buffer): number {
  for (let at = 8; ; at += 12 + bytes.readUInt32BE(at)) {
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (name === 'pHYs') return bytes.readUInt32BE(at + 8) / bytes.readUInt32BE(at + 12)
    if (name === 'IDAT') return 1
  }
}

/** From its segment `JFIF`, in dots of any unit. */
function ratioOfJpeg(bytes: Buffer): number {
  const [APP0, APP15] = [0xe0, 0xef]
  for (let at = 2; bytes[at] === 0xff; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1]!
    if (marker < APP0 || marker > APP15) return 1
    if (marker === APP0 && bytes.toString('latin1', at + 4, at + 8) === 'JFIF')
      return bytes.readUInt16BE(at + 12) / bytes.readUInt16BE(at + 14)
  }
  return 1
}

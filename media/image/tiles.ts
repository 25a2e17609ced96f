// How a long picture, such as a screenshot of a whole page, is cut into parts: scaled to the limits of a model as one, its text could not be read.

/** A picture at least so many times longer than wide is cut, if scaled as one its short side were below this share of it, or of this many pixels. */
const LONG = 2
const LEGIBLE = 0.7
const SHORT_SIDE = 1_000
/** Share of a part that is in the next one as well: a line of text is whole in one of them. */
const OVERLAP = 0.05

export interface Tile {
  left: number
  top: number
  width: number
  height: number
}

export interface Tiling {
  /** Size of the picture that is cut. */
  width: number
  height: number
  /** From top to bottom, or from left to right. */
  tiles: Tile[]
}

/** @param most parts. @returns undefined for a picture that stays whole */
export function tilesOf(width: number, height: number, maxSide: number, most: number): Tiling | undefined {
  const long = Math.max(width, height)
  const short = Math.min(width, height)
  if (long <= maxSide || long < LONG * short || most < 2) return undefined
  if ((short * maxSide) / long >= LEGIBLE * Math.min(short, SHORT_SIDE)) return undefined
  const overlap = Math.round(maxSide * OVERLAP)
  const scale = Math.min(1, maxSide / short, (maxSide + (most - 1) * (maxSide - overlap)) / long)
  const [length, breadth] = [Math.floor(long * scale), Math.max(1, Math.floor(short * scale))]
  const count = Math.max(1, Math.ceil((length - overlap) / (maxSide - overlap)))
  const part = Math.ceil((length + (count - 1) * overlap) / count)
  const isTall = height >= width
  const tiles = Array.from({ length: count }, (_, index) => {
    const at = index * (part - overlap)
    const size = Math.min(part, length - at)
    return isTall
      ? { left: 0, top: at, width: breadth, height: size }
      : { left: at, top: 0, width: size, height: breadth }
  })
  return { ...(isTall ? { width: breadth, height: length } : { width: length, height: breadth }), tiles }
}

// Where a very long picture is cut for OCR: between its lines of text.

/** A picture so many times higher than wide is cut into strips of so many times its width. */
const LONG = 2.5
const STRIP = 1.5
/** How far a cut may be from its place, as a share of the height of a strip. */
const SEARCH = 0.25

export interface Strip {
  top: number
  height: number
}

/** @param contrast of each row: 0 for one without any ink. @returns one strip for a picture that stays whole */
export function stripsOf(contrast: Uint8Array, width: number): Strip[] {
  const height = contrast.length
  const step = Math.round(width * STRIP)
  if (height <= width * LONG) return [{ top: 0, height }]
  const cuts = [0]
  for (let wanted = step; wanted < height - step / 2; wanted = cuts.at(-1)! + step) {
    const [from, to] = [Math.round(wanted - step * SEARCH), Math.min(height - 1, Math.round(wanted + step * SEARCH))]
    cuts.push(calmest(contrast, from, to, wanted))
  }
  return cuts.map((top, index) => ({ top, height: (cuts[index + 1] ?? height) - top }))
}

/** The row with least contrast, of several equal ones the nearest to a place. */
function calmest(contrast: Uint8Array, from: number, to: number, wanted: number): number {
  let best = from
  for (let row = from; row <= to; row += 1) {
    const difference = contrast[row]! - contrast[best]!
    if (difference < 0 || (difference === 0 && Math.abs(row - wanted) < Math.abs(best - wanted))) best = row
  }
  return best
}

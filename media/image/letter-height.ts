// The height of the letters in a picture, by which it is scaled for OCR: measured on their shapes, not guessed from its size.

/** Fewest shapes that tell a height. */
const FEWEST = 12
/** Least height of a letter, in pixels; least height as a share of the width, for what is no rule or underline. */
const LEAST = 4
const FLATTEST = 0.3
/** Most of the picture's height that a letter takes. */
const HIGHEST = 0.25

/**
 * The usual height of the letters, in pixels: small letters, as most of them are.
 * @param grey one byte a pixel
 * @returns undefined where too few shapes are like letters
 */
export function letterHeight(grey: Uint8Array, width: number, height: number): number | undefined {
  const ink = inkOf(grey)
  const heights = shapesOf(ink, width, height)
    .filter((shape) => {
      const [across, down] = [shape.right - shape.left + 1, shape.bottom - shape.top + 1]
      return down >= LEAST && down <= height * HIGHEST && down >= across * FLATTEST && across >= down * 0.1
    })
    .map(({ top, bottom }) => bottom - top + 1)
    .toSorted((a, b) => a - b)
  return heights.length < FEWEST ? undefined : heights[Math.floor(heights.length / 2)]
}

/** Which pixels are ink: those on the rarer side of Otsu's threshold. */
function inkOf(grey: Uint8Array): Uint8Array {
  const counts = new Float64Array(256)
  for (const value of grey) counts[value]! += 1
  const threshold = otsu(counts, grey.length)
  let dark = 0
  for (let value = 0; value <= threshold; value += 1) dark += counts[value]!
  const isDarkInk = dark * 2 <= grey.length
  return grey.map((value) => (value <= threshold === isDarkInk ? 1 : 0))
}

/** The value that divides two groups whose means differ most. */
function otsu(counts: Float64Array, total: number): number {
  const sum = counts.reduce((all, count, value) => all + count * value, 0)
  let [below, belowSum, best, threshold] = [0, 0, -1, 127]
  for (const [value, count] of counts.entries()) {
    below += count
    belowSum += count * value
    if (below === 0 || below === total) continue
    const difference = belowSum / below - (sum - belowSum) / (total - below)
    const between = below * (total - below) * difference * difference
    if (between > best) [best, threshold] = [between, value]
  }
  return threshold
}

interface Shape {
  left: number
  right: number
  top: number
  bottom: number
}

/** Connected stretches of ink, row by row. */
function shapesOf(ink: Uint8Array, width: number, height: number): Shape[] {
  const shapes: (Shape & { into?: number })[] = []
  const rootOf = (shape: number): number => {
    let root = shape
    while (shapes[root]!.into !== undefined) root = shapes[root]!.into!
    return root
  }
  let above: { from: number; to: number; shape: number }[] = []
  for (let y = 0; y < height; y += 1) {
    const row: typeof above = []
    for (let x = 0; x < width; x += 1) {
      if (ink[y * width + x] !== 1) continue
      const from = x
      while (x + 1 < width && ink[y * width + x + 1] === 1) x += 1
      const touching = above.filter((other) => other.from <= x + 1 && other.to >= from - 1)
      const shape = touching[0]
        ? rootOf(touching[0].shape)
        : shapes.push({ left: from, right: x, top: y, bottom: y }) - 1
      const box = shapes[shape]!
      for (const other of touching) {
        const root = rootOf(other.shape)
        if (root === shape) continue
        const { left, right, top } = shapes[root]!
        box.left = Math.min(box.left, left)
        box.right = Math.max(box.right, right)
        box.top = Math.min(box.top, top)
        shapes[root]!.into = shape
      }
      box.left = Math.min(box.left, from)
      box.right = Math.max(box.right, x)
      box.bottom = y
      row.push({ from, to: x, shape })
    }
    above = row
  }
  return shapes.filter(({ into }) => into === undefined)
}

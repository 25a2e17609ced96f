// A straight line through measurements, and how sure its slope is.

export interface LineFit {
  mean: number
  slope: number
  /** Standard error of the slope, for measurements that do not depend on each other. */
  slopeError: number
}

/** Least squares. @throws Error with fewer than three points */
export function fitLine(points: readonly { x: number; y: number }[]): LineFit {
  const n = points.length
  if (n < 3) throw new Error(`Cannot fit a line: there must be three points, got ${n}`)
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / n
  const mean = points.reduce((sum, { y }) => sum + y, 0) / n
  const squares = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - mean), 0) / squares
  const rest = points.reduce((sum, { x, y }) => sum + (y - mean - slope * (x - meanX)) ** 2, 0)
  return { mean, slope, slopeError: Math.sqrt(rest / (n - 2) / squares) }
}

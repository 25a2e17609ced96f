import { expect, test } from 'vitest'
import { fitLine } from '../support/line-fit.ts'

test('fitLine() finds the slope of a line, and its error where points lie beside it', () => {
  const line = [0, 1, 2, 3, 4].map((x) => ({ x, y: 10 + 2 * x }))
  expect(fitLine(line)).toEqual({ mean: 14, slope: 2, slopeError: 0 })
  const { slope, slopeError } = fitLine(line.map(({ x, y }) => ({ x, y: y + (x % 2 === 0 ? 0.1 : -0.1) })))
  expect(slope).toBeCloseTo(2, 1)
  expect(slopeError).toBeGreaterThan(0)
})

test('fitLine() refuses fewer than three points', () => {
  expect(() => fitLine([{ x: 0, y: 0 }])).toThrow('three points')
})

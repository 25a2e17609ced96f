// Which pictures are cut into parts, and where.
import { expect, test } from 'vitest'
import { tilesOf } from '../../media/image/tiles.ts'

test.each([
  ['a photograph', 4_000, 3_000],
  ['a panorama that stays legible', 6_000, 3_000],
  ['a screenshot of a telephone', 1_080, 2_400],
  ['a picture within the limit', 100, 2_000],
])('%s stays whole', (_, width, height) => expect(tilesOf(width, height, 2_048, 6)).toBeUndefined())

test.each([
  [1_080, 12_000, 1_568],
  [1_080, 12_000, 2_048],
  [12_000, 1_080, 2_048],
  [400, 3_000, 1_568],
  [3_000, 30_000, 1_568],
  [2, 100_000, 1_568],
])('%i × %i is cut into parts of at most %i pixels that cover it and overlap', (width, height, side) => {
  const tiling = tilesOf(width, height, side, 6)!
  expect(tiling.tiles.length).toBeLessThanOrEqual(6)
  let covered = 0
  for (const { left, top, width: w, height: h } of tiling.tiles) {
    expect(Math.max(w, h)).toBeLessThanOrEqual(side)
    expect(height > width ? top : left).toBeLessThanOrEqual(covered)
    covered = height > width ? top + h : left + w
  }
  expect(covered).toBe(Math.max(tiling.width, tiling.height))
})

test('what is cut is not scaled down where the parts suffice', () => {
  expect(tilesOf(1_080, 9_000, 2_048, 6)).toMatchObject({ width: 1_080, height: 9_000 })
})

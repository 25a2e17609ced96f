// The height of letters decides how a picture is scaled for OCR; long pictures are cut between their lines.
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { letterHeight } from '../../media/image/letter-height.ts'
import { stripsOf } from '../../media/image/strips.ts'

async function measured(size: number, [ground, ink]: [string, string] = ['#fff', '#000']) {
  const lines = Array.from(
    { length: 4 },
    (_, line) => `<text x="10" y="${size * (1.5 + line * 1.6)}">moon over seven rooms</text>`,
  )
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size * 14}" height="${size * 8}"><rect width="100%" height="100%" fill="${ground}"/><g font-size="${size}" font-family="sans-serif" fill="${ink}">${lines.join('')}</g></svg>`
  const { data, info } = await sharp(Buffer.from(svg)).greyscale().raw().toBuffer({ resolveWithObject: true })
  return letterHeight(data, info.width, info.height)
}

it('the height of small letters is measured, on dark and on light ground', async () => {
  for (const size of [14, 30, 80]) {
    const height = (await measured(size))!
    expect(height / size).toBeGreaterThan(0.45)
    expect(height / size).toBeLessThan(0.7)
    expect(Math.abs((await measured(size, ['#113', '#fe9']))! - height)).toBeLessThan(3)
  }
  expect(letterHeight(new Uint8Array(10_000).fill(255), 100, 100)).toBeUndefined()
})

it('a long picture is cut at rows without ink, another stays whole', () => {
  const contrast = Uint8Array.from({ length: 10_000 }, (_, row) => (row % 30 < 20 ? 200 : 0))
  const strips = stripsOf(contrast, 1_000)
  expect(strips.length).toBe(7)
  for (const { top } of strips.slice(1)) expect(contrast[top]).toBe(0)
  expect(strips.reduce((sum, { height }) => sum + height, 0)).toBe(10_000)
  expect(strips.map(({ top }) => top)).toEqual(
    strips.map((_, index) => strips.slice(0, index).reduce((sum, { height }) => sum + height, 0)),
  )
  expect(stripsOf(contrast, 5_000)).toEqual([{ top: 0, height: 10_000 }])
})

// Pictures as they are meant to be seen: transparent ones on a ground of contrast, every page of a TIFF, other colours and depths.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { type ImageFacts, READABLE, withPreparedImage } from '../../media/image/image.ts'
import { Ocr } from '../../media/image/ocr.ts'
import { tempDir } from '../support/temp-dir.ts'

const fixture = (name: string) => join(import.meta.dirname, '../fixtures/cases', name)
const signal = new AbortController().signal
const limits = { memory_mb: 1_024, time_ms: 55_000, output_bytes: 8_000_000, max_pixels: 100_000_000 }
const ocr = new Ocr(limits)

/** What OCR reads of a page, and the variant for a model. */
async function read(path: string, page = 0): Promise<{ text: string; facts: ImageFacts; shown: Buffer }> {
  const options = { signal, limits, owner: 'anna', page }
  const variants = [READABLE, { name: 'model', max_side: 1_568, max_bytes: 1_000_000 }]
  return withPreparedImage(path, variants, options, async ({ facts, files: [readable, model] }) => {
    const { text } = await ocr.recognize({ path: readable!.path }, { languages: ['eng'], owner: 'anna', signal })
    return { text, facts, shown: await sharp(model!.path).toBuffer() }
  })
}

const made = async (bytes: Promise<Buffer>) => {
  const path = join(tempDir(), 'picture')
  writeFileSync(path, await bytes)
  return path
}

const drawing = (lines: string[], width = 900) =>
  sharp(
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${lines.length * 40 + 60}"><rect width="100%" height="100%" fill="#fff"/>${lines
        .map(
          (line, index) => `<text x="40" y="${60 + index * 40}" font-size="28" font-family="sans-serif">${line}</text>`,
        )
        .join('')}</svg>`,
    ),
  )

it.each(['black', 'white'])('%s letters on nothing are read, and legible for a model', async (colour) => {
  const { text, shown } = await read(fixture(`transparent-${colour}.png`))
  expect(text).toContain('PUMP 12 BAR')
  const { channels, isOpaque } = await sharp(shown).stats()
  expect(isOpaque).toBe(true)
  expect(channels[0]!.max - channels[0]!.min).toBeGreaterThan(200)
})

it('every page of a fax is read, in its proportions', async () => {
  const pages = await Promise.all([0, 1, 2].map((page) => read(fixture('fax.tif'), page)))
  expect(pages.map(({ text }) => text.match(/PAGE-\w+-FAX|number \d/g))).toEqual([
    ['PAGE-ONE-FAX', 'number 1'],
    ['PAGE-TWO-FAX', 'number 2'],
    ['PAGE-THREE-FAX', 'number 3'],
  ])
  expect(pages[0]!.facts.pages).toBe(3)
  const { width, height } = await sharp(pages[0]!.shown).metadata()
  expect(height / width).toBeCloseTo((1_057 * 204) / 98 / 1_728, 1)
})

describe('a picture with dots twice as close across as down', () => {
  const fax = (format: 'png' | 'jpeg') => async () => {
    const { width, height } = await drawing(['The pump of Sund holds 12 bar.']).metadata()
    const flat = drawing(['The pump of Sund holds 12 bar.']).resize({
      width,
      height: Math.round(height / 2),
      fit: 'fill',
    })
    let bytes = await flat[format]({ quality: 95 }).withMetadata({ density: 200 }).toBuffer()
    if (format === 'png') {
      // A chunk: its length, name, dots per metre across and down, unit, checksum.
      const at = bytes.indexOf('pHYs')
      bytes.writeUInt32BE(Math.round(bytes.readUInt32BE(at + 4) / 2), at + 8)
      bytes.writeUInt32BE(crc32(bytes.subarray(at, at + 13)), at + 13)
    } else {
      // A segment: its marker, length, name, version, unit, dots per inch across and down, no thumbnail.
      const segment = Buffer.from('ffe000104a46494600010201' + '00c80064' + '0000', 'hex')
      bytes = Buffer.concat([bytes.subarray(0, 2), segment, bytes.subarray(2)])
    }
    return { bytes, wanted: height / width }
  }
  it.each([
    ['as a PNG', fax('png')],
    ['as a JPEG', fax('jpeg')],
  ])('%s is read in its proportions', async (_, make) => {
    const { bytes, wanted } = await make()
    const { text, shown } = await read(await made(Promise.resolve(bytes)))
    expect(text.trim()).toBe('The pump of Sund holds 12 bar.')
    const { width, height } = await sharp(shown).metadata()
    expect(height / width).toBeCloseTo(wanted, 1)
  })
})

describe('a picture', () => {
  const words = () => drawing(['The pump of Sund holds 12 bar.', 'Its valve was changed in 1987.'])
  it.each([
    ['of 16 bits', () => words().toColourspace('rgb16').png().toBuffer()],
    ['of 16 bits in grey', () => words().toColourspace('grey16').tiff().toBuffer()],
    ['in CMYK', () => words().toColourspace('cmyk').jpeg({ quality: 90 }).toBuffer()],
    ['in CMYK, as a TIFF', () => words().toColourspace('cmyk').tiff().toBuffer()],
  ])('%s is read', async (_, make) => {
    const { text, shown } = await read(await made(make()))
    expect(text.replaceAll(/\s+/g, ' ')).toBe('The pump of Sund holds 12 bar. Its valve was changed in 1987.')
    const { channels } = await sharp(shown).stats()
    expect(channels[0]!.mean).toBeGreaterThan(200)
  })
})

it('a very long picture is read from top to bottom, once, and small digits in a wide one', async () => {
  const lines = Array.from({ length: 70 }, (_, index) => `Line ${index + 1} of the long page.`)
  const { text } = await read(await made(drawing(lines, 700).png().toBuffer()))
  expect([...text.matchAll(/Line (\d+) of/g)].map(([, number]) => Number(number))).toEqual(
    lines.map((_, index) => index + 1),
  )

  const digits = (row: number, column: number) => String(((row * 7_919 + column * 104_729) % 90_000) + 10_000)
  const cells = Array.from({ length: 108 }, (_, index) => [Math.floor(index / 9), index % 9] as const)
  const table = cells.map(
    ([row, column]) =>
      `<text x="${20 + column * 150}" y="${30 + row * 18}" font-size="11" font-family="sans-serif">${digits(row, column)}</text>`,
  )
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1377" height="260"><rect width="100%" height="100%" fill="#fff"/>${table.join('')}</svg>`
  const small = (await read(await made(sharp(Buffer.from(svg)).jpeg({ quality: 85 }).toBuffer()))).text.split(/\s+/)
  expect(cells.map(([row, column]) => digits(row, column)).filter((number) => !small.includes(number))).toEqual([])
})

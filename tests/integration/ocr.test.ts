// Pictures of text are read offline: straight, skewed, turned and small ones, and those that are no pictures.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, it } from 'vitest'
import { Ocr } from '../../media/image/ocr.ts'
import { checkLanguages } from '../../media/image/ocr-languages.ts'
import { endIdleChildren } from '../../media/process/child-pool.ts'
import { scan, scannedPdf } from '../support/scan.ts'
import { tempDir } from '../support/temp-dir.ts'

const LINES = [
  'The harbour of Sund was built in 1871 by nine families.',
  'Its lamp burns whale oil, which the keeper brings up at dusk.',
  'Every winter the ice breaks two of the seven wooden piers,',
  'and the council pays for new ones from the fees of the ferry.',
  'Nobody remembers who painted the blue door of the boat house.',
]
const ocr = new Ocr({ memory_mb: 1_024, time_ms: 55_000, output_bytes: 8_000_000 })
const options = (languages = ['eng']) => ({ languages, owner: 'anna', signal: new AbortController().signal })
afterAll(() => endIdleChildren())

function file(bytes: Buffer): string {
  const path = join(tempDir(), 'picture')
  writeFileSync(path, bytes)
  return path
}

describe('a page of a scan', () => {
  it.each([
    ['straight', {}],
    ['skewed', { turned: 2 }],
    ['on its side', { turned: 90 }],
    ['on its other side', { turned: 270 }],
    ['upside down', { turned: 180 }],
    ['of few dots', { dpi: 100 }],
  ])('%s', async (_, how) => {
    const path = file(await scannedPdf([await scan(LINES, how)]))
    const read = await ocr.recognize({ path, page: 1 }, options())
    expect(read.confidence).toBeGreaterThan(85)
    expect(read.text.replaceAll(/\s+/g, ' ')).toBe(LINES.join(' '))
    expect(read.paragraphs).toHaveLength(read.text.split('\n\n').length)
  })
})

it('a table is read row by row', async () => {
  const rows = [
    ['Boat', 'Length', 'Fee in euro'],
    ['Heron', '12 metres', '1,450.00'],
    ['Tern', '9 metres', '980.50'],
    ['Gull', '7 metres', '612.75'],
  ]
  const page = await scan(['Fees of the harbour of Sund', ...rows.map((row) => row.join('\t'))])
  const read = await ocr.recognize({ path: file(page) }, options())
  const [header, ...others] = rows.map((row) => `| ${row.join(' | ')} |`)
  expect(read.text).toBe(['Fees of the harbour of Sund', '', header, '|---|---|---|', ...others].join('\n'))
  expect(read.paragraphs).toHaveLength(2)
})

it('small letters of a picture are read, a blank page has none, and other writing needs its language', async () => {
  const page = await scan(LINES, { dpi: 75 })
  expect((await ocr.recognize({ path: file(page) }, options())).text).toContain('painted the blue door')
  const blank = await ocr.recognize({ path: file(await scannedPdf([await scan([])])), page: 1 }, options())
  expect(blank).toMatchObject({ text: '', paragraphs: [] })
  const german = await ocr.recognize(
    { path: file(await scan(['Die Fähre läuft übermorgen früh aus.'])) },
    options(['deu']),
  )
  expect(german.text).toContain('Fähre läuft übermorgen früh')
})

it('a language that is not installed is named, with those that are', () => {
  expect(() => checkLanguages(['eng', 'rus'])).toThrow(
    /'languages' must be of deu, eng, fra, spa, got 'rus'.*npm install @tesseract\.js-data\/rus/,
  )
})

it('a damaged picture is the fault of the picture, one past its time too, and the next is read', async () => {
  const bad = ocr.recognize({ path: file(randomBytes(2_000)) }, options())
  await expect(bad).rejects.toMatchObject({ name: 'MediaFailure', reason: 'damaged' })
  const hurried = new Ocr({ memory_mb: 1_024, time_ms: 1, output_bytes: 1_000_000 })
  await expect(hurried.recognize({ path: file(await scan(LINES)) }, options())).rejects.toMatchObject({
    reason: 'too_slow',
  })
  const stop = new AbortController()
  const stopped = ocr.recognize({ path: file(await scan(LINES)) }, { ...options(), signal: stop.signal })
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
  const page = await sharp(await scan(LINES))
    .png()
    .toBuffer()
  expect((await ocr.recognize({ path: file(page) }, options())).text).toContain('harbour of Sund')
})

// Which pages of a PDF are read by OCR.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { readPdf } from '../../media/document/pdf-engines.ts'
import { isPicture, mayBePicture, textLayerOf } from '../../media/document/pdf-pictures.ts'
import { pdf } from '../support/pdf.ts'
import { tempDir } from '../support/temp-dir.ts'

const stats = {
  pageNumber: 1,
  textLength: 200,
  textCoverage: 0.1,
  hasSubstantialImages: false,
  imageBlockCount: 0,
  imageCoverage: 0,
  largestImageCoverage: 0,
  fullPageImage: false,
  isGarbled: false,
  pageArea: 500_000,
  needsOcr: false,
  reasons: [] as string[],
}
const text = (characters: number) => 'The lamp of Sund burns. '.repeat(characters / 24)
const isRead = (characters: number, found: Partial<typeof stats>) => {
  const page = { ...stats, textLength: characters, ...found }
  return isPicture(textLayerOf(text(characters), page), page)
}

it.each([
  ['a picture of a hundredth of the page beside a line', true, 48, { imageBlockCount: 1, imageCoverage: 0.01 }],
  ['a picture of half the page in a page of text', false, 2_400, { imageBlockCount: 1, imageCoverage: 0.5 }],
  ['a scan with a stamp', true, 480, { fullPageImage: true }],
  ['a scan with its text', false, 2_400, { fullPageImage: true }],
  ['letters drawn as shapes', true, 0, { reasons: ['vector-text'] }],
  ['a line without a picture', false, 48, { needsOcr: true, reasons: ['sparse-text'] }],
])('%s: %s', (_, expected, characters, found) => {
  expect(isRead(characters, found)).toBe(expected)
})

it('a page without text and without a picture that liteparse sees has to be drawn to tell what it is', () => {
  const needsDrawing = (characters: number, found: Partial<typeof stats>) => {
    const page = { ...stats, textLength: characters, ...found }
    return mayBePicture(textLayerOf(text(characters), page), page)
  }
  expect(needsDrawing(0, { needsOcr: true, reasons: ['no-text'] })).toBe(true)
  expect(needsDrawing(0, { fullPageImage: true })).toBe(false)
  expect(needsDrawing(48, { needsOcr: true, reasons: ['sparse-text'] })).toBe(false)
})

it('a text layer of signs that are no text is garbled', () => {
  const of = (layer: string, more: Partial<typeof stats> = {}) => textLayerOf(layer, { ...stats, ...more }).isGarbled
  expect(of('\uE001\uE002\uE003 \uE004\uE005')).toBe(true)
  expect(of('-\u0003\u0004 \u0005abcdefgh \u0007ijklmnopqrs'.repeat(9), { textLength: 20 })).toBe(true)
  expect(
    of('B Gc d]ĈhY_ WnkUfh;Y_ ģf Kh dcb]YXn]UýY_ ;fidU˙Fcn_ýUX ˙!˙ ghU]W a]Yh n]Ya bUX]'.repeat(3), {
      isGarbled: true,
    }),
  ).toBe(true)
  expect(of('7KH TXLFN EURZQ IR[ MXPSV RYHU WKH OD]\\ GRJ '.repeat(3))).toBe(true)
  expect(of(text(480))).toBe(false)
  // liteparse takes mathematics for it.
  expect(
    of('1 ∶ ← Master Password from user 2 ∶ (k, k) ← Secret Key, derived from a password', { isGarbled: true }),
  ).toBe(false)
})

it('a picture that liteparse does not see is read by OCR, an empty page is not', async () => {
  const jpeg = await sharp({ create: { width: 90, height: 90, channels: 3, background: '#aab' } })
    .composite([{ input: Buffer.from('<svg width="90" height="90"><path d="M9 9 L80 70" stroke="#000"/></svg>') }])
    .toColourspace('b-w')
    .jpeg()
    .toBuffer()
  const inline = 'q 300 0 0 300 99 99 cm BI /W 2 /H 2 /BPC 8 /CS /G /F /AHx ID 00FF80C0> EI Q'
  const shade = '<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 595 0] /Function'
  const shading = `/Shading << /S ${shade} << /FunctionType 2 /Domain [0 1] /C0 [0] /C1 [1] /N 1 >> >> >>`
  const bytes = pdf([
    { jpeg, width: 90, height: 90, inForm: true },
    { drawing: inline },
    { drawing: '/S sh' },
    { drawing: '' },
    { drawing: '1 g 0 0 595 842 re f' },
    { sentences: ['Typed words.'] },
  ])
  const path = join(tempDir(), 'unseen.pdf')
  writeFileSync(path, bytes.toString('latin1').replaceAll('/Font << /F1 3 0 R >>', `$& ${shading}`), 'latin1')
  const { pages } = await readPdf(path, { from: 1, to: 6 }, 'liteparse')
  expect(pages.map(({ scanned = false }) => scanned)).toEqual([true, true, true, false, false, false])
})

it('a small picture is the content of its page, however little of the page it takes', async () => {
  const jpeg = await sharp({ create: { width: 90, height: 90, channels: 3, background: '#aab' } })
    .toColourspace('b-w')
    .jpeg()
    .toBuffer()
  const whole = pdf([{ jpeg, width: 90, height: 90 }, { sentences: ['Typed words.'] }]).toString('latin1')
  const path = join(tempDir(), 'small.pdf')
  writeFileSync(path, whole.replace('q 595 0 0 842 0 0 cm', 'q 99  0 0 99  9 9 cm'), 'latin1')
  const { pages } = await readPdf(path, { from: 1, to: 2 }, 'liteparse')
  expect(pages.map(({ scanned }) => scanned)).toEqual([true, undefined])
})

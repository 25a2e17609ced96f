// Scans for tests: text drawn as a picture, and such pictures as the pages of a PDF without any text.
import sharp from 'sharp'
import { pdf, type PdfPage } from './pdf.ts'

export interface ScanOptions {
  /** Dots per inch. */
  dpi?: number
  /** Clockwise, in degrees. */
  turned?: number
}

/** A page of A4 with one line of text each, as a JPEG in grey. Tabs in a line begin columns. */
export async function scan(lines: string[], { dpi = 200, turned = 0 }: ScanOptions = {}): Promise<Buffer> {
  const [width, height] = [Math.round(8.27 * dpi), Math.round(11.69 * dpi)]
  const size = (dpi * 12) / 72
  const drawn = lines.map((line, index) =>
    line
      .split('\t')
      .map(
        (text, column) =>
          `<text x="${dpi * (1 + 2.2 * column)}" y="${dpi + index * size * 1.6}" font-size="${size}" font-family="serif">${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`,
      )
      .join(''),
  )
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#fff"/>${drawn.join('')}</svg>`
  return sharp(Buffer.from(svg))
    .rotate(turned, { background: '#fff' })
    .toColourspace('b-w')
    .jpeg({ quality: 80 })
    .toBuffer()
}

/** A PDF whose pages are pictures, or text where a page has sentences. */
export async function scannedPdf(pages: (Buffer | PdfPage)[]): Promise<Buffer> {
  const made = pages.map(async (page) => {
    if (!Buffer.isBuffer(page)) return page
    const { width, height } = await sharp(page).metadata()
    return { jpeg: page, width, height }
  })
  return pdf(await Promise.all(made))
}

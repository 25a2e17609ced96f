// A document with text and with pictures of text, whose pages each say something of their own.
import type { PdfPage } from './pdf.ts'
import { scan, scannedPdf } from './scan.ts'

const sentence = (page: number) => `The keeper of lighthouse ${page} counts ${page * 7} ships each morning.`

/** @param every each page whose number can be divided by this is scanned, the others have text */
export async function mixedPdf(count: number, every: number): Promise<Buffer> {
  const pages: (Buffer | PdfPage)[] = []
  for (let page = 1; page <= count; page += 1) {
    const lines = [sentence(page), 'Nothing else of note happens here, and the gulls are quiet.']
    pages.push(page % every === 0 ? await scan(lines, { dpi: 100 }) : { heading: `Chapter ${page}`, sentences: lines })
  }
  return scannedPdf(pages)
}

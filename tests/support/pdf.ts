// Small PDFs made from text, whole or broken in the ways that files are.
import { randomBytes } from 'node:crypto'

export interface PdfPage {
  heading?: string
  /** One line each; ASCII. */
  sentences: string[]
}

/** A page whose words stand at places of their own, in points from its lower left corner. */
export interface PlacedPage {
  /** Default size: 11 points. */
  words: { x: number; y: number; text: string; size?: number }[]
  /** Strokes from point to point. */
  lines?: [x: number, y: number, x2: number, y2: number][]
}

/** A page that is a picture in grey. */
export interface PicturePage {
  jpeg: Buffer
  width: number
  height: number
  /** Draws the picture within a form. */
  inForm?: boolean
}

/** A page of any drawing, in operators of PDF. */
export interface DrawnPage {
  drawing: string
}

const WHOLE_PAGE = 'q 595 0 0 842 0 0 cm /I Do Q'

/** A PDF with a text layer, except scanned pages. @param options `encrypt`: encrypted with a random password */
export function pdf(pages: (PdfPage | PlacedPage | PicturePage | DrawnPage)[], { encrypt = false } = {}): Buffer {
  const objects: string[] = []
  const add = (body: string) => objects.push(body)
  // 1: catalog, 2: page tree, 3: font; then a page and its contents in turns. The catalog is written last, so that the
  // beginning of the file alone cannot be mended.
  add('')
  add(`<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, index) => `${4 + 2 * index} 0 R`).join(' ')}] >>`)
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>')
  const pictures: PicturePage[] = []
  for (const page of pages) {
    if ('jpeg' in page) pictures.push(page)
    const contents = 'jpeg' in page ? WHOLE_PAGE : 'drawing' in page ? page.drawing : contentsOf(page)
    // A picture is followed by the form that draws it.
    const drawn = 2 + 2 * pages.length + 2 * pictures.length + ('inForm' in page ? 1 : 0)
    const used = 'jpeg' in page ? `/XObject << /I ${drawn} 0 R >>` : '/Font << /F1 3 0 R >>'
    const resources = `/MediaBox [0 0 595 842] /Resources << ${used} >>`
    add(`<< /Type /Page /Parent 2 0 R ${resources} /Contents ${objects.length + 2} 0 R >>`)
    add(`<< /Length ${contents.length} >>\nstream\n${contents}\nendstream`)
  }
  for (const { jpeg, width, height } of pictures) {
    const described = `/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /BitsPerComponent 8 /ColorSpace /DeviceGray`
    const bytes = jpeg.toString('latin1')
    add(`<< ${described} /Filter /DCTDecode /Length ${bytes.length} >>\nstream\n${bytes}\nendstream`)
    const own = `/BBox [0 0 1 1] /Resources << /XObject << /I ${objects.length} 0 R >> >>`
    add(`<< /Type /XObject /Subtype /Form ${own} /Length 5 >>\nstream\n/I Do\nendstream`)
  }
  const secret = () => `<${randomBytes(32).toString('hex')}>`
  if (encrypt) add(`<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O ${secret()} /U ${secret()} >>`)
  objects[0] = '<< /Type /Catalog /Pages 2 0 R >>'
  const parts = ['%PDF-1.4\n']
  const offsets: number[] = []
  let length = parts[0]!.length
  for (const index of [...objects.keys()].slice(1).concat(0)) {
    offsets[index] = length
    const object = `${index + 1} 0 obj\n${objects[index]}\nendobj\n`
    parts.push(object)
    length += object.length
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const id = encrypt ? ` /ID [${secret()} ${secret()}] /Encrypt ${objects.length} 0 R` : ''
  parts.push(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}`)
  parts.push(`trailer\n<< /Size ${objects.length + 1} /Root 1 0 R${id} >>\nstartxref\n${length}\n%%EOF\n`)
  return Buffer.from(parts.join(''), 'latin1')
}

/** Pages with a heading and sentences that say their numbers. */
export function numberedPages(count: number): PdfPage[] {
  return Array.from({ length: count }, (_, index) => ({
    heading: `Chapter ${index + 1}`,
    sentences: [
      `This is the first sentence of page ${index + 1}.`,
      `The keeper of lighthouse ${index + 1} counts ${(index + 1) * 7} ships each morning.`,
      'Nothing else of note happens here, and the gulls are quiet.',
    ],
  }))
}

function show(text: string): string {
  return `(${text.replace(/[\\()]/g, '\\$&')}) Tj`
}

function contentsOf(page: PdfPage | PlacedPage): string {
  if ('words' in page) {
    const words = page.words.map(({ x, y, text, size = 11 }) => `BT /F1 ${size} Tf ${x} ${y} Td ${show(text)} ET`)
    const lines = (page.lines ?? []).map(([x, y, x2, y2]) => `${x} ${y} m ${x2} ${y2} l S`)
    return [...words, ...lines].join('\n')
  }
  const { heading, sentences } = page
  const title = heading === undefined ? '' : `/F1 24 Tf 72 770 Td ${show(heading)} 0 -40 Td `
  const lines = sentences.map((sentence) => `${show(sentence)} 0 -14 Td`).join(' ')
  return `BT ${title || '72 770 Td '}/F1 11 Tf ${lines} ET`
}

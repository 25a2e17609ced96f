// Pictures that liteparse does not count: those within forms, those that stand in the contents of a page, and patterns.
import type { ParsedPage } from '@llamaindex/liteparse'
import type { PDFPageProxy } from 'pdfjs-dist'
import { withPdfJs } from './pdf-js.ts'
import { isLarge, mayBePicture, textLayerOf } from './pdf-pictures.ts'

/** Whether a page is blank. */
export type IsBlank = (page: number) => Promise<boolean>

/** Pages that OCR is to read though liteparse sees no picture on them. */
export async function unseenPictures(bytes: Buffer, pages: ParsedPage[], isBlank: IsBlank): Promise<Set<number>> {
  const found = new Set<number>()
  const layers = pages.flatMap(({ pageNum, text, complexity }) => {
    const layer = complexity && textLayerOf(text, complexity)
    return layer && mayBePicture(layer, complexity) ? [{ page: pageNum, layer }] : []
  })
  for (const { page } of layers.filter(({ layer }) => layer.characters === 0))
    if (!(await isBlank(page))) found.add(page)
  const others = layers.filter(({ layer }) => layer.characters > 0)
  // Names of streams stand in a file as they are, whatever is compressed.
  if (others.length === 0 || !bytes.includes('/Form') || !bytes.includes('/Image')) return found
  const read = withPdfJs(bytes, async (document) => {
    for (const { page } of others) {
      const loaded = await document.getPage(page)
      if (isLarge(await shareInForms(loaded))) found.add(page)
      loaded.cleanup()
    }
  })
  // Without it the pages are as liteparse read them.
  await read.catch(() => undefined)
  return found
}

/** Share of the page that is covered by pictures within forms. */
async function shareInForms(page: PDFPageProxy): Promise<number> {
  const { OPS } = await import('pdfjs-dist/legacy/build/pdf.mjs')
  const pictures: number[] = [OPS.paintImageXObject, OPS.paintInlineImageXObject, OPS.paintImageMaskXObject]
  const { fnArray, argsArray } = await page.getOperatorList()
  const [left = 0, top = 0, right = 0, bottom = 0] = page.view
  const all = Math.abs((right - left) * (bottom - top))
  // The area of a unit square, in which a picture is drawn.
  let area = 1
  let depth = 0
  let covered = 0
  const saved: number[] = []
  for (const [index, operator] of fnArray.entries()) {
    const values = argsArray[index] as unknown[] | null
    if (operator === OPS.save || operator === OPS.paintFormXObjectBegin) saved.push(area)
    if (operator === OPS.transform) area *= scaleOf(values)
    else if (operator === OPS.paintFormXObjectBegin) {
      area *= scaleOf(values?.[0])
      depth += 1
    } else if (operator === OPS.paintFormXObjectEnd) depth -= 1
    else if (depth > 0 && pictures.includes(operator)) covered += Math.min(area, all)
    if (operator === OPS.restore || operator === OPS.paintFormXObjectEnd) area = saved.pop() ?? 1
  }
  return all > 0 ? covered / all : 0
}

/** By how much a matrix makes areas larger. */
function scaleOf(matrix: unknown): number {
  if (typeof matrix !== 'object' || matrix === null) return 1
  const [a, b, c, d] = Object.values(matrix) as [number, number, number, number]
  return Math.abs(a * d - b * c)
}

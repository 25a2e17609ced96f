// The two libraries that read PDF: liteparse, and pdf-parse for files that liteparse cannot open or platforms it does not
// support.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../failure.ts'
import type { Page } from '../page.ts'

export type PdfEngine = 'liteparse' | 'pdf-parse'

export interface PdfPart {
  /** Pages of the whole document. */
  total: number
  pages: Page[]
}

type Range = { from: number; to: number }
/** liteparse stops silently at its own default of 1000. */
const ALL_PAGES = 1_000_000
/** Most characters of a possible scan, and the share of the page that the image must cover. */
const LITTLE_TEXT = 300
const MOSTLY = 0.5

/**
 * Reads pages of a PDF; without a range only their number.
 * @param engine `liteparse` falls back by itself; `pdf-parse` after a crash of the other
 * @throws MediaFailure
 */
export async function readPdf(path: string, range: Range | undefined, engine: PdfEngine): Promise<PdfPart> {
  if (engine === 'pdf-parse') return readWithPdfParse(path, range)
  try {
    return await readWithLiteparse(path, range)
  } catch (error) {
    if (error instanceof MediaFailure) throw error
    return readWithPdfParse(path, range)
  }
}

/** Without `ocrEnabled: false` it downloads OCR data. */
const QUIET = { ocrEnabled: false, maxPages: ALL_PAGES, quiet: true }

async function readWithLiteparse(path: string, range: Range | undefined): Promise<PdfPart> {
  const { LiteParse } = await import('@llamaindex/liteparse')
  const parser = new LiteParse({
    ...QUIET,
    targetPages: range ? `${range.from}-${range.to}` : '1',
    outputFormat: range ? 'markdown' : 'text',
    imageMode: 'off',
    extractLinks: false,
    // It treats any text that recurs on the pages of a batch as a running header, also "Chapter 7".
    keepHeadersFooters: true,
    continueOnPageError: true,
  })
  const result = await parser.parse(await bytesOf(path)).catch((error: unknown) => {
    throw /password/i.test(String(error)) ? encrypted(error) : error
  })
  const pages: Page[] = range
    ? result.pages.map(({ pageNum, markdown }) => ({ page: pageNum, text: withoutEmptyFence(markdown) }))
    : []
  await markScanned(path, pages)
  if (range && pages.length === 0 && result.pageErrors.length > 0) throw new Error(result.pageErrors[0]!.message)
  return { total: result.totalPages, pages }
}

/** Inspects pages with little text, or without letters; takes about as long as reading them. */
async function markScanned(path: string, pages: Page[]): Promise<void> {
  const doubtful = pages.filter(({ text }) => text.length < LITTLE_TEXT || hasNoLetters(text))
  if (doubtful.length === 0) return
  const { LiteParse } = await import('@llamaindex/liteparse')
  const targetPages = doubtful.map(({ page }) => page).join(',')
  const stats = await new LiteParse({ ...QUIET, targetPages }).isComplex(await bytesOf(path))
  for (const page of doubtful) {
    const found = stats.find(({ pageNumber }) => pageNumber === page.page)
    // An image with little text may be a stamped scan, or a drawing with a caption: drawn text is read as well.
    if (!found || (found.textLength > 0 && !found.isGarbled && found.imageCoverage < MOSTLY)) continue
    if (found.textLength > 0 || found.imageCoverage > 0 || found.needsOcr) page.scanned = true
  }
}

/** Fonts without a character map yield private use or invalid characters. */
function hasNoLetters(text: string): boolean {
  const strange = text.match(/[\uE000-\uF8FF\uFFFD]/g)?.length ?? 0
  return strange > text.length * 0.2
}

async function readWithPdfParse(path: string, range: Range | undefined): Promise<PdfPart> {
  // pdf.js creates one at load time from a canvas package that production installations do not have.
  globalThis.DOMMatrix ??= class {} as typeof DOMMatrix
  const { PasswordException, PDFParse, VerbosityLevel } = await import('pdf-parse')
  // pdf.js transfers the given buffer.
  const data = new Uint8Array(await bytesOf(path))
  const parser = new PDFParse({ data, verbosity: VerbosityLevel.ERRORS })
  try {
    const { total } = await parser.getInfo()
    if (!range) return { total, pages: [] }
    const partial = Array.from({ length: Math.min(range.to, total) - range.from + 1 }, (_, index) => range.from + index)
    if (partial.length === 0) return { total, pages: [] }
    const { pages } = await parser.getText({ partial })
    return { total, pages: pages.map(({ num, text }) => ({ page: num, text })) }
  } catch (error) {
    if (error instanceof PasswordException) throw encrypted(error)
    throw new MediaFailure('damaged', 'The PDF is damaged and cannot be read', { cause: error })
  } finally {
    await parser.destroy().catch(() => undefined)
  }
}

/** Renders a page; undefined when it has only one colour. @throws liteparse's error */
export async function drawPdfPage(path: string, page: number, dpi: number): Promise<Buffer | undefined> {
  const { LiteParse } = await import('@llamaindex/liteparse')
  const parser = new LiteParse({ ...QUIET, dpi })
  const [drawn] = await parser.screenshot(await bytesOf(path), [page])
  return drawn && !drawn.isSolidFill ? drawn.imageBuffer : undefined
}

let last: { path: string; bytes: Promise<Buffer> } | undefined

/** Bytes instead of a path, because liteparse uses the extension and blobs have none; cached for the next batch. */
function bytesOf(path: string): Promise<Buffer> {
  if (last?.path !== path) last = { path, bytes: readFile(path) }
  return last.bytes
}

function encrypted(cause: unknown): MediaFailure {
  return new MediaFailure('encrypted', 'The PDF is encrypted and opens only with a password', { cause })
}

/** A page without text is returned as an empty code block. */
function withoutEmptyFence(markdown: string): string {
  return /^\s*```\w*\s*```\s*$/.test(markdown) ? '' : markdown
}

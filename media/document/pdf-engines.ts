// The two libraries that read PDF: liteparse, and pdf.js for files that liteparse cannot open or platforms it does not
// support.
import { readFile } from 'node:fs/promises'
import type { LiteParseConfig, ParseResult } from '@llamaindex/liteparse'
import { MediaFailure } from '../failure.ts'
import type { Page } from '../page.ts'
import { filledForm, hiddenFields } from './pdf-form.ts'
import { withPdfJs } from './pdf-js.ts'
import { plainText } from './pdf-lost-text.ts'
import { detailsOf, needsDetails, needsDrawing, type PdfDetails, toPage, turnOf } from './pdf-page.ts'
import { joinedPieces } from './pdf-seen-text.ts'

export type PdfEngine = 'liteparse' | 'pdf.js'

export interface PdfPart {
  /** Pages of the whole document. */
  total: number
  pages: Page[]
}

type Range = { from: number; to: number }
/** liteparse stops silently at its own default of 1000. */
const ALL_PAGES = 1_000_000

/**
 * Reads pages of a PDF; without a range only their number.
 * @param engine `liteparse` falls back by itself; `pdf.js` after a crash of the other
 * @throws MediaFailure
 */
export async function readPdf(path: string, range: Range | undefined, engine: PdfEngine): Promise<PdfPart> {
  const bytes = await bytesOf(path)
  if (engine === 'pdf.js') return readWithPdfJs(bytes, range)
  try {
    return await readWithLiteparse(bytes, range)
  } catch (error) {
    if (error instanceof MediaFailure) throw error
    return readWithPdfJs(bytes, range)
  }
}

/** Without `ocrEnabled: false` it downloads OCR data. */
const QUIET = { ocrEnabled: false, maxPages: ALL_PAGES, quiet: true }

async function parse(bytes: Buffer, config: Partial<LiteParseConfig>): Promise<ParseResult> {
  const { LiteParse } = await import('@llamaindex/liteparse')
  return new LiteParse({ ...QUIET, ...config }).parse(bytes).catch((error: unknown) => {
    throw /password/i.test(String(error)) ? encrypted(error) : error
  })
}

const AS_MARKDOWN: Partial<LiteParseConfig> = {
  outputFormat: 'markdown',
  imageMode: 'off',
  extractLinks: false,
  // It treats any text that recurs on the pages of a batch as a running header, also "Chapter 7".
  keepHeadersFooters: true,
  continueOnPageError: true,
  includeComplexity: true,
  extractFormFields: true,
  extractAnnotations: true,
  extractBlocks: true,
  extractVectorGraphics: true,
  emitWordBoxes: true,
}

async function readWithLiteparse(bytes: Buffer, range: Range | undefined): Promise<PdfPart> {
  if (!range) return { total: (await parse(bytes, { targetPages: '1', outputFormat: 'text' })).totalPages, pages: [] }
  const result = await parse(bytes, { ...AS_MARKDOWN, targetPages: `${range.from}-${range.to}` })
  if (result.pages.length === 0 && result.pageErrors.length > 0) throw new Error(result.pageErrors[0]!.message)
  const upright = await readTurned(bytes, result)
  const details = await readDetails(bytes, result)
  const drawn = await drawnPages(bytes, result)
  const pages = result.pages.map((page) => {
    const { pageNum: at } = page
    return toPage(page, { details: details.get(at), upright: upright.get(at), isDrawn: drawn.has(at) })
  })
  const unread = result.pageErrors.map(({ pageNum }): Page => ({ page: pageNum, text: '', notices: [UNREAD] }))
  return { total: result.totalPages, pages: [...pages, ...unread].toSorted((a, b) => a.page - b.page) }
}

const UNREAD = { code: 'unreadable', message: 'Pages are damaged and cannot be read', count: 1 } as const

/** Pages whose text is set sideways, turned and read again: liteparse leaves such text out of its Markdown. */
async function readTurned(bytes: Buffer, { pages }: ParseResult): Promise<Map<number, ParseResult['pages'][number]>> {
  const turns = pages.map((page) => ({ page: page.pageNum, angle: turnOf(page) })).filter(({ angle }) => angle !== 0)
  if (turns.length === 0) return new Map()
  const targetPages = turns.map(({ page }) => page).join(',')
  const again = await parse(bytes, { ...AS_MARKDOWN, targetPages, pageOrientationCorrections: turns })
  return new Map(again.pages.map((page) => [page.pageNum, page]))
}

async function readDetails(bytes: Buffer, { pages }: ParseResult): Promise<Map<number, PdfDetails>> {
  const wanted = pages.filter(needsDetails).map(({ pageNum }) => pageNum)
  const details = new Map<number, PdfDetails>()
  if (wanted.length === 0) return details
  // Without it the pages are as liteparse read them.
  const read = withPdfJs(bytes, async (document) => {
    for (const page of wanted) details.set(page, await detailsOf(document, page))
  })
  await read.catch(() => undefined)
  return details
}

/** Enough to tell a blank page from one with a picture. */
const COARSE_DPI = 30

/** Pages without text that are not blank though liteparse sees no picture on them. */
async function drawnPages(bytes: Buffer, { pages }: ParseResult): Promise<Set<number>> {
  const drawn = new Set<number>()
  const { LiteParse } = await import('@llamaindex/liteparse')
  const parser = new LiteParse({ ...QUIET, dpi: COARSE_DPI })
  for (const { pageNum } of pages.filter(needsDrawing)) {
    // Whatever cannot be drawn here cannot be drawn for OCR.
    const [picture] = await parser.screenshot(bytes, [pageNum]).catch(() => [])
    if (picture && !picture.isSolidFill) drawn.add(pageNum)
  }
  return drawn
}

async function readWithPdfJs(bytes: Buffer, range: Range | undefined): Promise<PdfPart> {
  try {
    return await withPdfJs(bytes, async (document) => {
      const total = document.numPages
      const pages: Page[] = []
      for (let page = range?.from ?? 1; range && page <= Math.min(range.to, total); page += 1)
        pages.push(
          await detailsOf(document, page).then(
            (details) => pageOf(page, details),
            () => ({ page, text: '', notices: [UNREAD] }),
          ),
        )
      return { total, pages }
    })
  } catch (error) {
    if (error instanceof MediaFailure) throw error
    throw new MediaFailure('damaged', 'The PDF is damaged and cannot be read', { cause: error })
  }
}

function pageOf(page: number, { fields, notes, seen }: PdfDetails): Page {
  const items = [...joinedPieces(seen), ...notes.filter(({ isTyped }) => isTyped)]
  const notices = hiddenFields(fields)
  return { page, text: filledForm(items, fields) ?? plainText(items), ...(notices.length > 0 && { notices }) }
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

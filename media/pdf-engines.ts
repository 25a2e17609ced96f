// The two libraries that read PDF: liteparse, and pdf-parse for what liteparse cannot open or where it does not run.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from './failure.ts'
import type { Page } from './parse-document.ts'

export type PdfEngine = 'liteparse' | 'pdf-parse'

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

async function readWithLiteparse(path: string, range: Range | undefined): Promise<PdfPart> {
  const { LiteParse } = await import('@llamaindex/liteparse')
  const parser = new LiteParse({
    // Without this it would download the data of its OCR.
    ocrEnabled: false,
    maxPages: ALL_PAGES,
    targetPages: range ? `${range.from}-${range.to}` : '1',
    outputFormat: range ? 'markdown' : 'text',
    imageMode: 'off',
    extractLinks: false,
    // It takes what recurs on the pages of a batch for a running header, "Chapter 7" too.
    keepHeadersFooters: true,
    continueOnPageError: true,
    quiet: true,
  })
  const result = await parser.parse(await bytesOf(path)).catch((error: unknown) => {
    throw /password/i.test(String(error)) ? encrypted(error) : error
  })
  const pages = range
    ? result.pages.map(({ pageNum, markdown }) => ({ page: pageNum, text: withoutEmptyFence(markdown) }))
    : []
  if (range && pages.length === 0 && result.pageErrors.length > 0) throw new Error(result.pageErrors[0]!.message)
  return { total: result.totalPages, pages }
}

async function readWithPdfParse(path: string, range: Range | undefined): Promise<PdfPart> {
  const { PasswordException, PDFParse, VerbosityLevel } = await import('pdf-parse')
  // pdf.js takes possession of what it is given.
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

let last: { path: string; bytes: Promise<Buffer> } | undefined

/** The bytes and not the path, because liteparse judges a file by its extension and blobs have none; kept for the next batch. */
function bytesOf(path: string): Promise<Buffer> {
  if (last?.path !== path) last = { path, bytes: readFile(path) }
  return last.bytes
}

function encrypted(cause: unknown): MediaFailure {
  return new MediaFailure('encrypted', 'The PDF is encrypted and opens only with a password', { cause })
}

/** A page without text comes as a block of code with nothing in it. */
function withoutEmptyFence(markdown: string): string {
  return /^\s*```\w*\s*```\s*$/.test(markdown) ? '' : markdown
}

// Converts documents to pages of Markdown text. Documents are parsed in a child process that can be killed; plain text is
// read here.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { MediaFailure } from '../failure.ts'
import { withConverted } from './convert-office.ts'
import { kindOfFile } from '../kind/kind-of-file.ts'
import { isOfficeKind } from '../kind/office-kinds.ts'
import { withUnreadPictures } from '../image/recognized-page.ts'
import type { Page } from '../page.ts'
import { type ChildKind, scriptCommand } from '../process/child-kind.ts'
import { endIdleChildren, expectOwner, withChild } from '../process/child-pool.ts'
import { ChildCrash } from '../process/child-program.ts'
import type { ParseAnswer, ParseRequest } from './parse-child.ts'
import type { ParseLimits, ParseOptions } from './parse-limits.ts'
import type { PdfPart } from './pdf-engines.ts'
import { DOCUMENT_TYPES, type DocumentKind } from '../kind/document-types.ts'
import { isDocumentType } from '../kind/media-type.ts'
import { readTextPages } from './text-pages.ts'

/** Formats that are read here, without a parser. */
const READ_HERE: ReadonlySet<string> = new Set([DOCUMENT_TYPES.text, DOCUMENT_TYPES.markdown])

export const PARSER: ChildKind = {
  what: 'document',
  writes: false,
  most: Math.max(2, availableParallelism()),
  samples: [
    { path: sample('page.html'), kind: 'html' },
    { path: sample('page.docx'), kind: 'docx' },
    { path: sample('page.pdf'), engine: 'liteparse', range: { from: 1, to: 1 } },
  ] satisfies ParseRequest[],
  // mammoth 1.13 sets `__proto__`, which Deno disables by default (November 2026).
  command: scriptCommand(new URL('parse-child.ts', import.meta.url), ['--unstable-unsafe-proto']),
}

/**
 * The format of a file and its number of pages. A PDF is read page by page (`parsePages`); for every other format
 * the pages are returned here.
 * @throws MediaFailure, or the signal's reason
 */
export async function inspectDocument(
  path: string,
  options: ParseOptions,
  parser: ChildKind = PARSER,
): Promise<{ kind: DocumentKind; pages: number; whole?: Page[] }> {
  options.signal.throwIfAborted()
  const kind = await kindOfFile(path, options.name ?? '')
  if (kind === 'pdf') {
    const { total } = await askParser({ path, engine: 'liteparse' }, options, parser)
    checkPages(path, total, options.limits)
    return { kind, pages: total }
  }
  if (isOfficeKind(kind)) {
    const read = (converted: string, name: string) => readDocument(converted, { ...options, name })
    const { pages } = await withConverted(path, kind, options, read)
    // Their pictures are parts of a file that is deleted.
    const whole = pages.map(({ pictures = [], scanned, ...page }) =>
      withUnreadPictures(page, pictures.length + (scanned ? 1 : 0)),
    )
    if (!whole.some(({ text }) => text.trim() !== '')) throw new MediaFailure('empty', 'The file holds no text')
    return { kind, pages: whole.length, whole }
  }
  const whole =
    kind === 'text' || kind === 'markdown'
      ? await readTextPages(path, options.limits.output_bytes, options.signal)
      : (await askParser({ path, kind, name: options.name }, options, parser)).pages
  checkPages(path, whole.length, options.limits)
  return { kind, pages: whole.length, whole }
}

/**
 * Pages of a PDF from `from` to `to`, inclusive; missing pages are skipped.
 * @throws MediaFailure, or the signal's reason
 */
export async function parsePages(
  path: string,
  range: { from: number; to: number },
  options: ParseOptions,
  parser: ChildKind = PARSER,
): Promise<Page[]> {
  options.signal.throwIfAborted()
  return (await askParser({ path, range, engine: 'liteparse' }, options, parser)).pages
}

/**
 * All pages of a document of any kind.
 * @throws MediaFailure, or the signal's reason
 */
export async function readDocument(
  path: string,
  options: ParseOptions,
): Promise<{ kind: DocumentKind; pages: Page[] }> {
  const { kind, pages: to, whole } = await inspectDocument(path, options)
  return { kind, pages: whole ?? (await parsePages(path, { from: 1, to }, options)) }
}

function checkPages(path: string, pages: number, { max_pages }: ParseLimits): void {
  if (pages <= max_pages && pages > 0) return
  void endIdleChildren(ownerOf(path))
  if (pages === 0) throw new MediaFailure('empty', 'The document has no pages')
  throw new MediaFailure('too_many_pages', `The document has ${pages} pages; ${max_pages} are allowed`)
}

/** After a crash another engine is tried if there is one, otherwise the same once more. */
async function askParser(request: ParseRequest, options: ParseOptions, parser: ChildKind): Promise<PdfPart> {
  try {
    return await askOnce(request, options, parser)
  } catch (error) {
    if (!(error instanceof ChildCrash)) throw error
  }
  return askOnce('engine' in request ? { ...request, engine: 'pdf.js' } : request, options, parser)
}

function askOnce(request: ParseRequest, options: ParseOptions, parser: ChildKind): Promise<PdfPart> {
  // A parser reads one document only, so a malicious one cannot affect others; it is kept for the next batch of a PDF.
  const use = { owner: ownerOf(request.path), memory_mb: options.limits.memory_mb }
  return withChild(parser, use, async (child) => {
    let more = false
    try {
      const pages: Page[] = []
      const { total } = await child.ask<ParseAnswer>(request, options, (page) => pages.push(page as Page))
      more = 'engine' in request
      return { total, pages }
    } finally {
      if (!more) await child.end()
    }
  })
}

/** A file of this media type has been stored, and a job for it is likely to follow: its parser is started. */
export function expectDocument(type: string, memoryMb: number): void {
  if (isDocumentType(type) && !READ_HERE.has(type)) expectOwner(PARSER, memoryMb)
}

/** A file that every parser reads before its first document. */
function sample(name: string): string {
  return fileURLToPath(new URL(`samples/${name}`, import.meta.url))
}

function ownerOf(path: string): string {
  return `document ${path}`
}

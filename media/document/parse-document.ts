// Converts documents to pages of Markdown text. Documents are parsed in a child process that can be killed; plain text is
// read here.
import { MediaFailure } from '../failure.ts'
import { withConverted } from './convert-office.ts'
import { kindOfFile } from './kind-of-file.ts'
import { confined } from '../process/limited-process.ts'
import type { Page } from '../page.ts'
import { isOfficeKind } from './office-kinds.ts'
import type { ParseRequest } from './parse-child.ts'
import type { ParseLimits, ParseOptions } from './parse-limits.ts'
import { ParserChild } from './parser-child.ts'
import { parserCommand, type ParserCommand } from './parser-command.ts'
import { ParserCrash } from './parser-death.ts'
import type { PdfPart } from './pdf-engines.ts'
import type { DocumentKind } from './document-types.ts'
import { readTextPages } from './text-pages.ts'

/** Idle timeout of a parser that waits for the next call about its document, in milliseconds. */
const IDLE_MS = 5_000
const MOST_IDLE = 2

/**
 * The format of a file and its number of pages. A PDF is read page by page (`parsePages`); for every other format
 * the pages are returned here.
 * @throws MediaFailure, or the signal's reason
 */
export async function inspectDocument(
  path: string,
  options: ParseOptions,
  command: ParserCommand = parserCommand,
): Promise<{ kind: DocumentKind; pages: number; whole?: Page[] }> {
  options.signal.throwIfAborted()
  const kind = await kindOfFile(path, options.name ?? '')
  if (kind === 'pdf') {
    const { total } = await askParser({ path, engine: 'liteparse' }, options, command)
    checkPages(path, total, options.limits)
    return { kind, pages: total }
  }
  if (isOfficeKind(kind)) {
    const read = (converted: string, name: string) => readDocument(converted, { ...options, name })
    const { pages } = await withConverted(path, kind, options, read)
    return { kind, pages: pages.length, whole: pages }
  }
  const whole =
    kind === 'text' || kind === 'markdown'
      ? await readTextPages(path, options.limits.output_bytes, options.signal)
      : (await askParser({ path, kind }, options, command)).pages
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
  command: ParserCommand = parserCommand,
): Promise<Page[]> {
  options.signal.throwIfAborted()
  return (await askParser({ path, range, engine: 'liteparse' }, options, command)).pages
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
  endIdle(path)
  if (pages === 0) throw new MediaFailure('empty', 'The document has no pages')
  throw new MediaFailure('too_many_pages', `The document has ${pages} pages; ${max_pages} are allowed`)
}

async function askParser(request: ParseRequest, options: ParseOptions, command: ParserCommand): Promise<PdfPart> {
  try {
    return await askOnce(request, options, command)
  } catch (error) {
    if (!(error instanceof ParserCrash)) throw error
  }
  try {
    // Retried with another engine if there is one, otherwise once with the same.
    return await askOnce('engine' in request ? { ...request, engine: 'pdf-parse' } : request, options, command)
  } catch (cause) {
    if (!(cause instanceof ParserCrash)) throw cause
    throw new MediaFailure('damaged', 'The document makes its parser crash', { cause })
  }
}

async function askOnce(request: ParseRequest, options: ParseOptions, command: ParserCommand): Promise<PdfPart> {
  // A parser reads one document only, so a malicious one cannot affect others.
  const key: Key = { path: request.path, memory_mb: options.limits.memory_mb, command }
  const child = takeIdle(key) ?? new ParserChild(await confined(command(options.limits.memory_mb)))
  try {
    const part = await child.ask(request, options)
    if ('engine' in request) keepIdle(key, child)
    else await child.kill()
    return part
  } catch (error) {
    await child.kill()
    throw error
  }
}

interface Key {
  path: string
  memory_mb: number
  command: ParserCommand
}
interface Idle {
  key: Key
  child: ParserChild
  timer: NodeJS.Timeout
}

// Starting a parser costs as much as reading 20 pages, so it is kept idle for the next batch of the same document.
let idle: Idle[] = []

function takeIdle({ path, memory_mb, command }: Key): ParserChild | undefined {
  const found = idle.find(
    ({ key, child }) => child.alive && key.path === path && key.memory_mb === memory_mb && key.command === command,
  )
  if (found) forget(found)
  return found?.child
}

function keepIdle(key: Key, child: ParserChild): void {
  const kept: Idle = { key, child, timer: setTimeout(() => end(kept), IDLE_MS).unref() }
  idle.push(kept)
  if (idle.length > MOST_IDLE) end(idle[0]!)
}

function forget(kept: Idle): void {
  clearTimeout(kept.timer)
  idle = idle.filter((each) => each !== kept)
}

function end(kept: Idle): void {
  forget(kept)
  void kept.child.kill()
}

/** Stops the idle parser of a finished document. */
function endIdle(path: string): void {
  for (const kept of idle.filter(({ key }) => key.path === path)) end(kept)
}

// The child program that parses documents: answers one request per line, writes one page per line, and exits with its
// parent.
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { MediaFailure, type MediaFailureReason } from '../failure.ts'
import type { Page } from '../page.ts'
import { type PdfEngine, type PdfPart, readPdf } from './pdf-engines.ts'
import { readWhole, type WholeKind } from './readers/index.ts'

/** A range of pages of a PDF, or without a range only their number; or all pages of another document. */
export type ParseRequest =
  | { path: string; engine: PdfEngine; range?: { from: number; to: number } | undefined }
  | { path: string; kind: WholeKind }

/**
 * The last line of every answer is `total`, `failure` or `error`; `error` is an internal error, not a fault of the document.
 */
export type ParseAnswer =
  | { ready: true }
  | Page
  | { total: number }
  | { failure: { reason: MediaFailureReason; message: string } }
  | { error: string }

const [parentPid, memoryMb] = process.argv.slice(2)

// A parser may block this thread forever, so another one checks whether the parent is alive. It also enforces the memory
// limit where the parent cannot read /proc. SIGKILL: an orderly exit would wait for the threads of the native library.
const GUARD = `
setInterval(() => {
  if (process.ppid !== ${Number(parentPid)} || process.memoryUsage().rss > ${Number(memoryMb)} * 2 ** 20) process.kill(process.pid, 'SIGKILL')
}, 250)`
new Worker(GUARD, { eval: true }).unref()

const lines = createInterface({ input: process.stdin })
lines.on('close', () => process.kill(process.pid, 'SIGKILL'))

// Output of libraries must not mix with the answers.
console.log = console.info = console.warn = console.error
say({ ready: true })
lines.on('line', (line) => void answer(JSON.parse(line) as ParseRequest))

async function answer(request: ParseRequest): Promise<void> {
  try {
    const { total, pages } = await read(request)
    for (const page of pages) say(page)
    say({ total })
  } catch (error) {
    if (error instanceof MediaFailure) say({ failure: { reason: error.reason, message: error.message } })
    else say({ error: error instanceof Error ? error.message : String(error) })
  }
}

async function read(request: ParseRequest): Promise<PdfPart> {
  if ('engine' in request) return readPdf(request.path, request.range, request.engine)
  const pages = await readWhole(request.path, request.kind)
  return { total: pages.length, pages }
}

function say(words: ParseAnswer): void {
  process.stdout.write(`${JSON.stringify(words)}\n`)
}

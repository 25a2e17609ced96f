// The child program that parses documents. Pages are the pieces of its answer.
import { answerRequests } from '../process/child-protocol.ts'
import { type PdfEngine, readPdf } from './pdf-engines.ts'
import { readWhole, type WholeKind } from './readers/index.ts'

/** A range of pages of a PDF, or without a range only their number; or all pages of another document. */
export type ParseRequest =
  | { path: string; engine: PdfEngine; range?: { from: number; to: number } | undefined }
  | { path: string; kind: WholeKind }

export interface ParseAnswer {
  /** Of the document. */
  total: number
}

answerRequests<ParseRequest>(async (request, sendPage): Promise<ParseAnswer> => {
  if ('engine' in request) {
    const { total, pages } = await readPdf(request.path, request.range, request.engine)
    for (const page of pages) sendPage(page)
    return { total }
  }
  const pages = await readWhole(request.path, request.kind)
  for (const page of pages) sendPage(page)
  return { total: pages.length }
})

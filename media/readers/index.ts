// Who reads what. Readers run in the parser process only, and are loaded when they are needed: a child begins sooner with less.
import { MediaFailure } from '../failure.ts'
import type { Page } from '../parse-document.ts'
import type { DocumentKind } from '../sniff.ts'
import type { Part } from './table.ts'

/** Kinds that are read as a whole. */
export type WholeKind = Exclude<DocumentKind, 'pdf' | 'text' | 'markdown'>

const READERS: Record<WholeKind, (path: string) => Promise<Part[]>> = {
  docx: async (path) => (await import('./docx.ts')).readDocx(path),
  html: async (path) => (await import('./html.ts')).readHtml(path),
  csv: async (path) => (await import('./csv.ts')).readCsv(path),
  tsv: async (path) => (await import('./csv.ts')).readCsv(path, '\t'),
}

/** All pages of a document. @throws MediaFailure */
export async function readWhole(path: string, kind: WholeKind): Promise<Page[]> {
  const parts = await READERS[kind](path)
  const pages = parts.filter(({ text }) => text.trim() !== '').map((part, index) => ({ page: index + 1, ...part }))
  if (pages.length === 0) throw new MediaFailure('empty', 'The file holds no text')
  return pages
}

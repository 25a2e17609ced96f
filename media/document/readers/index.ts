// The reader of each format. Readers run only in the parser process, and are loaded on demand for a faster start.
import { mergeNotices, noticeText } from '../../../contracts/notices.ts'
import { isStackOverflow } from '../../../contracts/stack-overflow.ts'
import { MediaFailure } from '../../failure.ts'
import type { Page } from '../../page.ts'
import type { DocumentKind } from '../../kind/document-types.ts'
import type { OfficeKind } from '../../kind/office-kinds.ts'
import type { UnnumberedPage } from './table.ts'

/** Formats that are read as a whole. */
export type WholeKind = Exclude<DocumentKind, OfficeKind | 'pdf' | 'text' | 'markdown'>

/** The name is that of the client. */
const READERS: Record<WholeKind, (path: string, name: string) => Promise<UnnumberedPage[]>> = {
  docx: async (path) => (await import('./docx.ts')).readDocx(path),
  flatdocx: async (path) => (await import('./flat-docx.ts')).readFlatDocx(path),
  xlsx: async (path) => (await import('./xlsx.ts')).readXlsx(path),
  pptx: async (path) => (await import('./pptx.ts')).readPptx(path),
  odt: async (path) => (await import('./odf.ts')).readOdt(path),
  ods: async (path) => (await import('./ods.ts')).readOds(path),
  odp: async (path) => (await import('./odf.ts')).readOdp(path),
  odg: async (path) => (await import('./odf.ts')).readOdg(path),
  fodt: async (path) => (await import('./odf.ts')).readOdt(path),
  fods: async (path) => (await import('./ods.ts')).readOds(path),
  fodp: async (path) => (await import('./odf.ts')).readOdp(path),
  fodg: async (path) => (await import('./odf.ts')).readOdg(path),
  rtf: async (path) => (await import('./rtf.ts')).readRtf(path),
  epub: async (path) => (await import('./epub.ts')).readEpub(path),
  html: async (path) => (await import('./html.ts')).readHtml(path),
  csv: async (path) => (await import('./csv.ts')).readCsv(path),
  json: async (path) => (await import('./json.ts')).readJson(path),
  eml: async (path) => (await import('./eml.ts')).readMailFile(path, 'eml'),
  msg: async (path) => (await import('./eml.ts')).readMailFile(path, 'msg'),
  tnef: async (path) => (await import('./eml.ts')).readMailFile(path, 'tnef'),
  mbox: async (path) => (await import('./eml.ts')).readMailFile(path, 'mbox'),
  tsv: async (path) => (await import('./csv.ts')).readCsv(path),
  notebook: async (path) => (await import('./notebook.ts')).readNotebook(path),
  xml: async (path) => (await import('./xml-document.ts')).readXmlDocument(path),
  subtitles: async (path) => (await import('./subtitles.ts')).readSubtitles(path),
  calendar: async (path) => (await import('./calendar.ts')).readCalendar(path),
  contacts: async (path) => (await import('./contacts.ts')).readContacts(path),
  code: async (path, name) => (await import('./source-code.ts')).readSourceCode(path, name),
}

/** All pages of a document. @throws MediaFailure */
export async function readWhole(path: string, kind: WholeKind, name = ''): Promise<Page[]> {
  const parts = await READERS[kind](path, name).catch((error: unknown) => {
    throw toFailure(error)
  })
  // A page without text may say why.
  const pages = parts
    .filter(({ text, notices, pictures }) => text.trim() !== '' || notices || pictures)
    .map((part, index) => ({ page: index + 1, ...part }))
  if (!pages.some(({ text, pictures }) => text.trim() !== '' || pictures)) throw noText(pages)
  return pages
}

/** With what it holds instead. */
function noText(pages: readonly Page[]): MediaFailure {
  const notices = mergeNotices(pages.flatMap((page) => page.notices ?? []))
  return new MediaFailure('empty', ['The file holds no text', ...notices.map(noticeText)].join('. '))
}

/** Libraries have many errors for invalid documents. */
function toFailure(error: unknown): unknown {
  if (error instanceof MediaFailure) return error
  if (isStackOverflow(error))
    return new MediaFailure('unsafe', 'The document is nested too deeply to be read', { cause: error })
  return new MediaFailure('damaged', 'The document is damaged and cannot be read', { cause: error })
}

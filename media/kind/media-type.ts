// The media type of any file: of pictures and recordings, documents, and files that hold others.
import { ARCHIVE_TYPES, DOCUMENT_TYPES, type DocumentKind, isArchiveKind, isDocumentKind } from './document-types.ts'
import { sniffDocument } from './sniff-document.ts'
import { sniffMedia } from './sniff-media.ts'

const DOCUMENTS: ReadonlySet<string> = new Set(Object.values(DOCUMENT_TYPES))
/** What is in an OLE container stands behind its first bytes; until they are read, its name tells. */
const OLE_KINDS: Readonly<Record<string, DocumentKind>> = {
  doc: 'doc',
  dot: 'doc',
  xls: 'xls',
  xlt: 'xls',
  ppt: 'ppt',
  pps: 'ppt',
  pot: 'ppt',
  msg: 'msg',
  vsd: 'vsd',
  pub: 'pub',
  wps: 'wps',
}

/** The media type of a file, detected from its first bytes, independent of the declared type; its name decides between texts. */
export function mediaTypeOf(head: Uint8Array, name: string): string {
  const media = sniffMedia(head)
  if (media) return media.type
  const sniffed = sniffDocument(head, name)
  const kind = sniffed === 'ole' ? OLE_KINDS[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''] : sniffed
  if (isDocumentKind(kind)) return DOCUMENT_TYPES[kind]
  if (isArchiveKind(kind)) return ARCHIVE_TYPES[kind]
  return sniffed === 'ole' ? 'application/x-ole-storage' : 'application/octet-stream'
}

/** Whether a file of this type is a readable document. */
export function isDocumentType(type: string): boolean {
  return DOCUMENTS.has(type)
}

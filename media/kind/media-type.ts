// The media type of any file: of pictures and recordings, documents, and files that hold others.
import { DOCUMENT_TYPES, isDocumentKind, sniffDocument } from './sniff-document.ts'
import { sniffMedia } from './sniff-media.ts'

const DOCUMENTS: ReadonlySet<string> = new Set(Object.values(DOCUMENT_TYPES))
/** Formats that are no documents themselves: archives of documents, and Office files from before 2007. */
const OTHER_TYPES = { zip: 'application/zip', ole: 'application/x-ole-storage' } as const

/** The media type of a file, detected from its first bytes, independent of the declared type; its name decides between texts. */
export function mediaTypeOf(head: Uint8Array, name: string): string {
  const media = sniffMedia(head)
  if (media) return media.type
  const kind = sniffDocument(head, name)
  if (kind === undefined) return 'application/octet-stream'
  return isDocumentKind(kind) ? DOCUMENT_TYPES[kind] : OTHER_TYPES[kind]
}

/** Whether a file of this type is a readable document. */
export function isDocumentType(type: string): boolean {
  return DOCUMENTS.has(type)
}

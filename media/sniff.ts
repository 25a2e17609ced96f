// What a document is, by its content; its name only tells apart what is text either way, and archives that do not say what they are.
import { textEncoding } from './text-encoding.ts'
import { textKind } from './text-kind.ts'

/** Media types of the documents that are read. */
export const DOCUMENT_TYPES = {
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  html: 'text/html',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  markdown: 'text/markdown',
  text: 'text/plain',
} as const
export type DocumentKind = keyof typeof DOCUMENT_TYPES

/** Whatever can be told: documents, and what only looks like one. `ole` is what Office wrote before 2007, or wraps an encrypted file in. */
export type SniffedKind = DocumentKind | 'zip' | 'ole'

/** How much of a file is looked at, in bytes. */
export const SNIFFED_BYTES = 65_536
/** Readers of PDF accept junk before the header, up to so many bytes. */
const PDF_HEADER_WITHIN = 1_024

/** The kind of a file from its first bytes (`SNIFFED_BYTES` are enough) and its name; undefined for what we know nothing of. */
export function sniff(bytes: Uint8Array, name: string): SniffedKind | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, SNIFFED_BYTES))
  if (head.subarray(0, PDF_HEADER_WITHIN).includes('%PDF-', 0, 'latin1')) return 'pdf'
  if (head.subarray(0, 4).equals(ZIP)) return zipKind(head, name)
  if (head.subarray(0, 8).equals(OLE)) return 'ole'
  const encoding = textEncoding(head)
  return encoding === undefined ? undefined : textKind(new TextDecoder(encoding).decode(head), name)
}

export function isDocumentKind(kind: SniffedKind | undefined): kind is DocumentKind {
  return kind !== undefined && kind in DOCUMENT_TYPES
}

const ZIP = Buffer.from('PK\x03\x04', 'latin1')
const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex')

/** By folders in it that only one kind has. */
const PARTS: readonly [string, DocumentKind][] = [['word/', 'docx']]
const EXTENSIONS: Record<string, DocumentKind> = { docx: 'docx' }

function zipKind(head: Buffer, name: string): DocumentKind | 'zip' {
  for (let at = 0; at >= 0 && at + 30 < head.length; at = head.indexOf(ZIP, at + 4)) {
    const entry = head.toString('latin1', at + 30, at + 30 + head.readUInt16LE(at + 26))
    const found = PARTS.find(([part]) => entry.startsWith(part))
    if (found) return found[1]
  }
  return EXTENSIONS[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''] ?? 'zip'
}

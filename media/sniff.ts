// What a document is, by its content; its name only tells apart what is text either way, and archives that do not say what they are.
import { textEncoding } from './text-encoding.ts'
import { textKind } from './text-kind.ts'

/** Media types of the documents that are read. */
export const DOCUMENT_TYPES = {
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  odt: 'application/vnd.oasis.opendocument.text',
  ods: 'application/vnd.oasis.opendocument.spreadsheet',
  odp: 'application/vnd.oasis.opendocument.presentation',
  epub: 'application/epub+zip',
  rtf: 'application/rtf',
  html: 'text/html',
  eml: 'message/rfc822',
  json: 'application/json',
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
  if (head.subarray(0, RTF.length).equals(RTF)) return 'rtf'
  const encoding = textEncoding(head)
  return encoding === undefined ? undefined : textKind(new TextDecoder(encoding).decode(head), name)
}

export function isDocumentKind(kind: SniffedKind | undefined): kind is DocumentKind {
  return kind !== undefined && kind in DOCUMENT_TYPES
}

const ZIP = Buffer.from('PK\x03\x04', 'latin1')
const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const RTF = Buffer.from('{\\rtf')

/** By folders that only one kind has in it, or by the type that it names first. */
const PARTS: readonly [string, DocumentKind][] = [
  ['word/', 'docx'],
  ['xl/', 'xlsx'],
  ['ppt/', 'pptx'],
]
const TYPES: readonly [string, DocumentKind][] = (['odt', 'ods', 'odp', 'epub'] as const).map((kind) => [
  `mimetype${DOCUMENT_TYPES[kind]}`,
  kind,
])
const ZIPPED: ReadonlySet<string> = new Set([...PARTS, ...TYPES].map(([, kind]) => kind))

function zipKind(head: Buffer, name: string): DocumentKind | 'zip' {
  for (let at = 0; at >= 0 && at + 30 < head.length; at = head.indexOf(ZIP, at + 4)) {
    const length = head.readUInt16LE(at + 26)
    const entry = head.toString('latin1', at + 30, at + 30 + length)
    const found = PARTS.find(([part]) => entry.startsWith(part))
    if (found) return found[1]
    // What it says of itself stands behind its name, and behind more fields where a careless program wrote it.
    const content = at + 30 + length + head.readUInt16LE(at + 28)
    const named = entry === 'mimetype' ? entry + head.toString('latin1', content, content + 80) : ''
    const type = TYPES.find(([start]) => named.startsWith(start))
    if (type) return type[1]
  }
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  return ZIPPED.has(extension) ? (extension as DocumentKind) : 'zip'
}

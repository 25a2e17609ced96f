// Detects the format of a document by its content; its name only distinguishes text formats, and ambiguous archives.
import { textEncoding } from '../document/text-encoding.ts'
import { textKind } from './text-kind.ts'

/** Media types of supported documents. */
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
  notebook: 'application/x-ipynb+json',
  xml: 'application/xml',
  subtitles: 'text/vtt',
  calendar: 'text/calendar',
  contacts: 'text/vcard',
  code: 'text/x-source-code',
  markdown: 'text/markdown',
  text: 'text/plain',
} as const
export type DocumentKind = keyof typeof DOCUMENT_TYPES

/** All detected formats: documents and containers. `ole` is the format of Office before 2007, and of its encrypted files. */
export type SniffedKind = DocumentKind | 'zip' | 'ole'

/** Bytes of a file that are inspected. */
export const SNIFFED_BYTES = 65_536
/** PDF readers accept junk before the header, up to this many bytes. */
const PDF_HEADER_WITHIN = 1_024

/** The kind of a file from its first bytes (`SNIFFED_BYTES` are enough) and its name; undefined for an unknown format. */
export function sniffDocument(bytes: Uint8Array, name: string): SniffedKind | undefined {
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

/** By folders that are unique to a format, or by the declared type in the first entry. */
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
    // The declared type follows the entry's name and any extra fields.
    const content = at + 30 + length + head.readUInt16LE(at + 28)
    const named = entry === 'mimetype' ? entry + head.toString('latin1', content, content + 80) : ''
    const type = TYPES.find(([start]) => named.startsWith(start))
    if (type) return type[1]
  }
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  return ZIPPED.has(extension) ? (extension as DocumentKind) : 'zip'
}

// Detects the format of a document by its content; its name only distinguishes text formats, and ambiguous archives.
import {
  ARCHIVE_TYPES,
  type ArchiveKind,
  DOCUMENT_TYPES,
  type DocumentKind,
  isArchiveKind,
  isDocumentKind,
} from './document-types.ts'
import { mailKind } from './mail-kind.ts'
import { textEncoding } from './text-encoding.ts'
import { textKind } from './text-kind.ts'
import { binaryKind, type UnreadKind, xmlOfficeKind } from './unread-kinds.ts'
import { zipKind } from './zip-kind.ts'

/** All detected formats. `ole` is a container of Office from before 2007, of Outlook, or of an encrypted document. */
export type SniffedKind = DocumentKind | ArchiveKind | UnreadKind | 'ole'

/** Bytes of a file that are inspected. */
export const SNIFFED_BYTES = 65_536
/** PDF readers accept junk before the header, up to this many bytes. */
const PDF_HEADER_WITHIN = 1_024

/** The kind of a file from its first bytes (`SNIFFED_BYTES` are enough) and its name; undefined for an unknown format. */
export function sniff(bytes: Uint8Array, name: string): SniffedKind | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, SNIFFED_BYTES))
  if (head.subarray(0, PDF_HEADER_WITHIN).includes('%PDF-', 0, 'latin1')) return 'pdf'
  if (head.subarray(0, 4).equals(ZIP) || head.subarray(0, 4).equals(SPANNED)) return zipKind(head, name)
  if (head.subarray(0, 8).equals(OLE)) return 'ole'
  if (head.subarray(0, RTF.length).equals(RTF)) return 'rtf'
  const binary = binaryKind(head)
  if (binary) return binary
  if (head[0] === 0x30 && /\.p7[ms]$/i.test(name)) return 'smime'
  const mail = mailKind(head.toString('latin1'))
  if (mail) return mail
  const encoding = textEncoding(head)
  if (encoding === undefined) return undefined
  const text = new TextDecoder(encoding).decode(head)
  if (PGP.test(text)) return 'pgp'
  return mailKind(text) ?? xmlOfficeKind(text) ?? textKind(text, name)
}

/** The media type of a file, as `sniff` detects its kind; undefined for an unknown format. */
export function documentType(bytes: Uint8Array, name: string): string | undefined {
  const sniffed = sniff(bytes, name)
  const kind = sniffed === 'ole' ? OLE_KINDS[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''] : sniffed
  if (isDocumentKind(kind)) return DOCUMENT_TYPES[kind]
  if (isArchiveKind(kind)) return ARCHIVE_TYPES[kind]
  return sniffed === 'ole' ? 'application/x-ole-storage' : undefined
}

/** Whether files of a media type are read as documents. */
export function isDocumentType(type: string): boolean {
  return TYPES.has(type)
}

const TYPES: ReadonlySet<string> = new Set(Object.values(DOCUMENT_TYPES))
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
const ZIP = Buffer.from('PK\x03\x04', 'latin1')
/** An empty archive, or one that was split. */
const SPANNED = Buffer.from('PK\x07\x08', 'latin1')
const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const RTF = Buffer.from('{\\rtf')
const PGP = /^\s*-----BEGIN PGP MESSAGE-----/

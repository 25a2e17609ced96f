// Detects the format of a document by its content; its name only distinguishes text formats, and ambiguous archives.
import type { ArchiveKind, DocumentKind } from './document-types.ts'
import { mailKind } from './mail-kind.ts'
import { decodeBytes } from '../document/decode-bytes.ts'
import { textEncoding } from '../document/text-encoding.ts'
import { textKind } from './text-kind.ts'
import { binaryKind, type UnreadKind, xmlOfficeKind } from './unread-kinds.ts'
import { zipHeadKind } from './zip-kind.ts'

/** All detected formats. `ole` is a container of Office from before 2007, of Outlook, or of an encrypted document. */
export type SniffedKind = DocumentKind | ArchiveKind | UnreadKind | 'ole'

/** Bytes of a file that are inspected. */
export const SNIFFED_BYTES = 65_536
/** PDF readers accept junk before the header, up to this many bytes. */
const PDF_HEADER_WITHIN = 1_024

/** The kind of a file from its first bytes (`SNIFFED_BYTES` are enough) and its name; undefined for an unknown format. */
export function sniffDocument(bytes: Uint8Array, name: string): SniffedKind | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, SNIFFED_BYTES))
  if (head.subarray(0, PDF_HEADER_WITHIN).includes('%PDF-', 0, 'latin1')) return 'pdf'
  if (ZIPS.some((mark) => head.subarray(0, 4).equals(mark))) return zipHeadKind(head, name)
  if (head.subarray(0, 8).equals(OLE)) return 'ole'
  if (head.subarray(0, RTF.length).equals(RTF)) return 'rtf'
  if (head[0] === 0x30 && /\.p7[msz]$/i.test(name)) return 'smime'
  const binary = binaryKind(head)
  if (binary) return binary
  const mail = mailKind(head.toString('latin1'))
  if (mail) return mail
  const encoding = textEncoding(head)
  if (encoding === undefined) return undefined
  const text = decodeBytes(head, encoding)
  if (PGP.test(text)) return 'pgp'
  return mailKind(text) ?? xmlOfficeKind(text) ?? textKind(text, name)
}

/** A ZIP with files, without any, and one that was made to be split. */
const ZIPS = ['PK\x03\x04', 'PK\x05\x06', 'PK\x07\x08', 'PK00'].map((mark) => Buffer.from(mark, 'latin1'))
const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const RTF = Buffer.from('{\\rtf')
const PGP = /^\s*-----BEGIN PGP MESSAGE-----/

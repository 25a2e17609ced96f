// Detects the format of a document by its content; its name only distinguishes text formats, and ambiguous archives.
import type { ArchiveKind, DocumentKind } from './document-types.ts'
import { mailKind } from './mail-kind.ts'
import { decodeAs, textEncoding } from '../document/text-encoding.ts'
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
export function sniffDocument(bytes: Uint8Array, name: string): SniffedKind | undefined {
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
  const text = decodeAs(head, encoding)
  if (PGP.test(text)) return 'pgp'
  return mailKind(text) ?? xmlOfficeKind(text) ?? textKind(text, name)
}

const ZIP = Buffer.from('PK\x03\x04', 'latin1')
/** An empty archive, or one that was split. */
const SPANNED = Buffer.from('PK\x07\x08', 'latin1')
const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const RTF = Buffer.from('{\\rtf')
const PGP = /^\s*-----BEGIN PGP MESSAGE-----/

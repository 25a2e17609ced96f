// Formats detected by their first bytes: archives, old office documents, and those that are not read, with the reason.
import { isKeyOf } from './is-key-of.ts'
import type { ArchiveKind, DocumentKind } from './document-types.ts'

/** Why a known format is not read. */
export const UNREAD = {
  smime: 'The file is signed or encrypted by S/MIME, and is not read',
  pgp: 'The file is encrypted by PGP',
  hwp: 'Documents of Hangul Word Processor are not read: save it as DOCX or PDF',
  access: 'Databases of Access are not read: export its tables as CSV',
  sqlite: 'Databases of SQLite are not read: export its tables as CSV',
  pst: 'Mailboxes of Outlook (PST) are not read: export the mails as EML, MSG or MBOX',
  onenote: 'Notebooks of OneNote are not read: export it as PDF or DOCX',
  project: 'Plans of Microsoft Project are not read: export it as XLSX or PDF',
  xps: 'XPS documents are not read: save it as PDF',
  package: 'The file is a package of a program whose files are not read: save it as DOCX, XLSX, PPTX or PDF',
  webarchive: 'Web archives of Safari are not read: save the page as HTML or PDF',
  help: 'Help files of Windows (CHM) are not read: export it as HTML or PDF',
  djvu: 'DjVu documents are not read: save it as PDF',
  drawing: 'Drawings of AutoCAD are not read: export it as PDF',
  picture: 'Pictures of this format are not read: save it as PNG or JPEG',
  recording: 'Recordings of this format are not read: convert it to MP3, M4A or WAV',
  data: 'Files of scientific data are not read: export it as CSV',
  certificate: 'The file is a certificate or a key',
  compressed: 'The file is compressed by a method that is not read: use ZIP',
  image: 'Images of disks are not opened: put its files into a ZIP',
  program: 'The file is a program',
  font: 'The file is a font',
} as const
export type UnreadKind = keyof typeof UNREAD

export const isUnreadKind = isKeyOf(UNREAD)

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const MAGIC: readonly [Buffer, DocumentKind | ArchiveKind | UnreadKind, number?][] = [
  [latin1('\x1f\x8b\x08'), 'gz'],
  [latin1('7z\xbc\xaf\x27\x1c'), '7z'],
  [latin1('Rar!\x1a\x07'), 'rar'],
  [latin1('\xfd7zXZ\x00'), 'xz'],
  [latin1('\x28\xb5\x2f\xfd'), 'zst'],
  // A part to be skipped, with which pzstd begins.
  [latin1('\x50\x2a\x4d\x18'), 'zst'],
  [latin1('\x1f\x9d'), 'compress'],
  [latin1('ustar'), 'tar', 257],
  [latin1('\xffWPC'), 'wpd'],
  [latin1('\x78\x9f\x3e\x22'), 'tnef'],
  [latin1('HWP Document File'), 'hwp'],
  [latin1('\x00\x01\x00\x00Standard Jet DB'), 'access'],
  [latin1('\x00\x01\x00\x00Standard ACE DB'), 'access'],
  [latin1('SQLite format 3\x00'), 'sqlite'],
  [latin1('!BDN'), 'pst'],
  [latin1('\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d'), 'onenote'],
  [latin1('MSCF\x00\x00'), 'cab'],
  [latin1('\x60\xea'), 'arj'],
  [latin1('070701'), 'cpio'],
  [latin1('070702'), 'cpio'],
  [latin1('070707'), 'cpio'],
  [latin1('\xc7\x71'), 'cpio'],
  [latin1('\x31\xbe\x00\x00\x00\xab'), 'wri'],
  [latin1('\x32\xbe\x00\x00\x00\xab'), 'wri'],
  [latin1('bplist00'), 'webarchive'],
  [latin1('ITSF'), 'help'],
  [latin1('AT&TFORM'), 'djvu'],
  [latin1('AC10'), 'drawing'],
  [latin1('\x09\x00\x04\x00'), 'xls'],
  [latin1('\x09\x02\x06\x00'), 'xls'],
  [latin1('\x09\x04\x06\x00'), 'xls'],
  [latin1('8BPS'), 'picture'],
  [latin1('icns'), 'picture'],
  [latin1('\x0a\x05\x01'), 'picture'],
  [latin1('\x00\x00\x01\x00'), 'picture'],
  [latin1('\x00\x00\x00\x0cJXL '), 'picture'],
  [latin1('\xff\x0a'), 'picture'],
  [latin1('\x00\x00\x00\x0cjP  '), 'picture'],
  [latin1('\xd7\xcd\xc6\x9a'), 'picture'],
  [latin1(' EMF'), 'picture', 40],
  [latin1('#!AMR'), 'recording'],
  [latin1('.snd'), 'recording'],
  [latin1('MThd'), 'recording'],
  [latin1('AIFF'), 'recording', 8],
  [latin1('AIFC'), 'recording', 8],
  [latin1('AVI '), 'recording', 8],
  [latin1('FLV\x01'), 'recording'],
  [latin1('\xff\xf1'), 'recording'],
  [latin1('\xff\xf9'), 'recording'],
  [latin1('\x0b\x77'), 'recording'],
  [latin1('\x30\x26\xb2\x75\x8e\x66\xcf\x11'), 'recording'],
  [latin1('\x00\x00\x01\xba'), 'recording'],
  [latin1('\x89HDF\r\n'), 'data'],
  [latin1('CDF'), 'data'],
  [latin1('GRIB'), 'data'],
  [latin1('SIMPLE  ='), 'data'],
  [latin1('<stata_dta>'), 'data'],
  [latin1('\x04\x22\x4d\x18'), 'compressed'],
  [latin1('\x89LZO\x00'), 'compressed'],
  [latin1('LZIP\x01'), 'compressed'],
  [latin1('CD001'), 'image', 32_769],
  [latin1('\xca\xfe\xba\xbe'), 'program'],
  [latin1('\xcf\xfa\xed\xfe'), 'program'],
  [latin1('\xce\xfa\xed\xfe'), 'program'],
  [latin1('\x7fELF'), 'program'],
  [latin1('\x00\x01\x00\x00\x00'), 'font'],
  [latin1('OTTO\x00'), 'font'],
  [latin1('wOFF'), 'font'],
  [latin1('wOF2'), 'font'],
]

/** @param head its first bytes */
export function binaryKind(head: Buffer): DocumentKind | ArchiveKind | UnreadKind | undefined {
  const found = MAGIC.find(([magic, , at = 0]) => head.subarray(at, at + magic.length).equals(magic))
  if (found) return found[1]
  if (/^BZh[1-9]1AY&SY/.test(head.toString('latin1', 0, 10))) return 'bz2'
  // The size of a bitmap follows its short mark.
  if (/^BM.{4}\0{4}/s.test(head.toString('latin1', 0, 10))) return 'picture'
  if (LOTUS.test(head.toString('latin1', 0, 6))) return 'lotus'
  if (isCertificate(head)) return 'certificate'
  if (/^..-lh[0-9a-z]-/s.test(head.toString('latin1', 0, 8))) return 'lha'
  // A program of Windows has the place of its second header at byte 60.
  if (head.subarray(0, 2).equals(latin1('MZ')) && head.length >= 64) {
    const at = head.readUInt32LE(60)
    if (head.subarray(at, at + 2).equals(latin1('PE'))) return 'program'
  }
  return isOldTar(head) ? 'tar' : undefined
}

/** Lotus 1-2-3, Quattro Pro and the spreadsheets of Works begin with a record that has their version. */
// oxlint-disable-next-line no-control-regex -- the bytes of a record
const LOTUS = /^(?:\0\0|\xff\0)[\x02\x1a]\0(?:[\x04-\x06]\x04|[\0-\x05]\x10|[\x20\x21]\x51)/

/** A certificate or key: one value of DER that takes up the whole file. */
function isCertificate(head: Buffer): boolean {
  return head[0] === 0x30 && head[1] === 0x82 && head.length === head.readUInt16BE(2) + 4
}

/** A tar from before POSIX has no mark: its first header has a checksum. */
function isOldTar(head: Buffer): boolean {
  if (head.length < 512) return false
  const noted = /^\s*([0-7]{1,7})[\0 ]/.exec(head.toString('latin1', 148, 156))?.[1]
  if (noted === undefined) return false
  let sum = 0
  for (let at = 0; at < 512; at += 1) sum += at >= 148 && at < 156 ? 32 : head[at]!
  return sum === Number.parseInt(noted, 8)
}

const XML_OFFICE: readonly [RegExp, DocumentKind][] = [
  [/office:mimetype="application\/vnd\.oasis\.opendocument\.text/, 'fodt'],
  [/office:mimetype="application\/vnd\.oasis\.opendocument\.spreadsheet/, 'fods'],
  [/office:mimetype="application\/vnd\.oasis\.opendocument\.presentation/, 'fodp'],
  [/office:mimetype="application\/vnd\.oasis\.opendocument\.graphics/, 'fodg'],
  [/<pkg:package\b[\s\S]*\/word\//, 'flatdocx'],
  [/<(?:\w+:)?wordDocument\b|<\?mso-application progid="Word\.Document"/, 'wordxml'],
  [
    /<(?:\w+:)?Workbook\b[^>]*urn:schemas-microsoft-com:office:spreadsheet|<\?mso-application progid="Excel\.Sheet"/,
    'excelxml',
  ],
]

/** Office documents that are one XML file. */
export function xmlOfficeKind(head: string): DocumentKind | undefined {
  if (!/^\uFEFF?\s*<(?:\?xml|\w+:|Workbook)/.test(head)) return undefined
  return XML_OFFICE.find(([pattern]) => pattern.test(head.slice(0, 8_192)))?.[1]
}

// Formats detected by their first bytes: archives, old office documents, and those that are not read, with the reason.
import type { OfficeKind } from './office-kinds.ts'
import type { ArchiveKind, DocumentKind } from './document-types.ts'

/** Why a known format is not read. */
export const UNREAD = {
  tnef: 'The file is in the TNEF format of Outlook (winmail.dat), which is not read: ask its sender for a mail in HTML or plain text',
  smime: 'The file is signed or encrypted by S/MIME, and is not read',
  pgp: 'The file is encrypted by PGP',
  hwp: 'Documents of Hangul Word Processor are not read: save it as DOCX or PDF',
  access: 'Databases of Access are not read: export its tables as CSV',
  sqlite: 'Databases of SQLite are not read: export its tables as CSV',
  pst: 'Mailboxes of Outlook (PST) are not read: export the mails as EML, MSG or MBOX',
  onenote: 'Notebooks of OneNote are not read: export it as PDF or DOCX',
  cab: 'Cabinet archives are not opened: use ZIP',
  lha: 'LHA archives are not opened: use ZIP',
  arj: 'ARJ archives are not opened: use ZIP',
  program: 'The file is a program',
  font: 'The file is a font',
} as const
export type UnreadKind = keyof typeof UNREAD

export function isUnreadKind(kind: string | undefined): kind is UnreadKind {
  return kind !== undefined && Object.hasOwn(UNREAD, kind)
}

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const MAGIC: readonly [Buffer, ArchiveKind | OfficeKind | UnreadKind, number?][] = [
  [latin1('\x1f\x8b\x08'), 'gz'],
  [latin1('7z\xbc\xaf\x27\x1c'), '7z'],
  [latin1('Rar!\x1a\x07'), 'rar'],
  [latin1('\xfd7zXZ\x00'), 'xz'],
  [latin1('\x28\xb5\x2f\xfd'), 'zst'],
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
  [latin1('\x7fELF'), 'program'],
  [latin1('\x00\x01\x00\x00\x00'), 'font'],
  [latin1('OTTO\x00'), 'font'],
  [latin1('wOFF'), 'font'],
  [latin1('wOF2'), 'font'],
]

/** @param head its first bytes */
export function binaryKind(head: Buffer): ArchiveKind | OfficeKind | UnreadKind | undefined {
  const found = MAGIC.find(([magic, , at = 0]) => head.subarray(at, at + magic.length).equals(magic))
  if (found) return found[1]
  if (/^BZh[1-9]1AY&SY/.test(head.toString('latin1', 0, 10))) return 'bz2'
  if (/^..-lh[0-9a-z]-/s.test(head.toString('latin1', 0, 8))) return 'lha'
  // A program of Windows has the place of its second header at byte 60.
  if (head.subarray(0, 2).equals(latin1('MZ')) && head.length >= 64) {
    const at = head.readUInt32LE(60)
    if (head.subarray(at, at + 2).equals(latin1('PE'))) return 'program'
  }
  return isOldTar(head) ? 'tar' : undefined
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
  [/<(?:\w+:)?wordDocument\b|<pkg:package\b[\s\S]*\/word\/|<\?mso-application progid="Word\.Document"/, 'wordxml'],
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

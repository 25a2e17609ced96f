// Parses the mails of a file, of any format.
import { readFile } from 'node:fs/promises'
import PostalMime, { decodeWords } from 'postal-mime'
import { MediaFailure } from '../../failure.ts'
import { type Mail, named } from './mail.ts'
import { type MimeNode, partsOf } from './mail-parts.ts'
import { plainSource, splitMbox } from './mail-source.ts'
import { oneLine } from '../unpack/names.ts'

export type MailKind = 'eml' | 'msg' | 'mbox' | 'tnef'

const MAIL_KINDS: ReadonlySet<string | undefined> = new Set<MailKind>(['eml', 'msg', 'mbox', 'tnef'])

export function isMailKind(kind: string | undefined): kind is MailKind {
  return MAIL_KINDS.has(kind)
}

/** The mails of a file: one, except for an mbox. @throws MediaFailure */
export async function readMails(path: string, kind: MailKind): Promise<Mail[]> {
  return parseMails(await readFile(path), kind)
}

/** @throws MediaFailure */
export async function parseMails(bytes: Buffer, kind: MailKind): Promise<Mail[]> {
  if (kind === 'msg') return [(await import('./msg.ts')).parseMsg(bytes)]
  if (kind === 'tnef') return [(await import('./tnef.ts')).parseTnef(bytes)]
  const sources = kind === 'mbox' ? splitMbox(bytes) : [bytes]
  const mails: Mail[] = []
  for (const source of sources) mails.push(await parseMail(plainSource(source)))
  return mails
}

async function parseMail(source: Buffer): Promise<Mail> {
  // Forwarded mails are files of their own, with what is attached to them.
  const parser = new PostalMime({ maxRfc822NestingDepth: 0 })
  try {
    const { from, to, cc, bcc, headers, subject } = await parser.parse(source)
    // As it was written: its time and zone are the sender's.
    const date = headers.find(({ key }) => key === 'date')?.value.trim()
    // Its own bodies are concatenated texts. The tree is not in its types (4.0.0, November 2026).
    const { root } = parser as unknown as { root: MimeNode }
    const parts = partsOf(root, nameless)
    return {
      ...(from && { from: [from] }),
      ...(to && { to }),
      ...(cc && { cc }),
      ...(bcc && { bcc }),
      ...(date && { date }),
      ...(subject !== undefined && { subject }),
      ...parts,
      attached: named(parts.attached),
    }
  } catch (cause) {
    throw new MediaFailure('damaged', 'The mail is damaged and cannot be read', { cause })
  }
}

/** A forwarded mail is called by its subject. */
function nameless(number: number, type: string, bytes: Uint8Array): string {
  if (type === 'text/calendar') return `invitation ${number}.ics`
  if (type !== 'message/rfc822') return `Attachment ${number}`
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 65_536)).toString()
  const subject = /^subject:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)/im.exec(head)?.[1] ?? ''
  const title = oneLine(decodeWords(subject.replaceAll(/\r?\n/g, ''))).replaceAll('/', '-')
  return `${title || `Forwarded mail ${number}`}.eml`
}

// Parses a mail: headers, body, and attachments with unique names.
import { readFile } from 'node:fs/promises'
import PostalMime, { type Attachment, type Email } from 'postal-mime'
import { MediaFailure } from '../../failure.ts'

export interface Attached {
  /** The sender's name for it, on one line. Never a local path. */
  name: string
  bytes: Uint8Array
}

const LONGEST_NAME = 200
const SIGNATURE = /\/(?:pgp|(?:x-)?pkcs7)-signature$/i

/** @throws MediaFailure */
export async function readMail(path: string): Promise<Email> {
  const bytes = await readFile(path)
  try {
    return await PostalMime.parse(bytes)
  } catch (cause) {
    throw new MediaFailure('damaged', 'The mail is damaged and cannot be read', { cause })
  }
}

/**
 * The files that were sent with a mail. Inline images of the body, such as a logo, and signatures are excluded.
 * @param taken reserved names
 */
export function attachmentsOf({ attachments }: Email, taken: string[] = []): Attached[] {
  const names = new Set(taken)
  return attachments.filter(isSent).map(({ filename, content }, index) => {
    const name = freeName(oneLine(filename ?? '') || `Attachment ${index + 1}`, names)
    names.add(name)
    return { name, bytes: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content) }
  })
}

function isSent({ mimeType, related }: Attachment): boolean {
  return !SIGNATURE.test(mimeType) && !(related && mimeType.startsWith('image/'))
}

function oneLine(name: string): string {
  return name
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(-LONGEST_NAME)
}

/** A second `plan.pdf` becomes `plan (2).pdf`. */
function freeName(name: string, names: ReadonlySet<string>): string {
  const [, stem = name, extension = ''] = /^(.+?)(\.\w{1,10})?$/u.exec(name) ?? []
  let free = name
  for (let count = 2; names.has(free); count++) free = `${stem} (${count})${extension}`
  return free
}

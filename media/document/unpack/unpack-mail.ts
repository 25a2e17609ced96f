// The files that are attached to mails, and to the mails that are attached to those.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { sniffFile } from '../../kind/kind-of-file.ts'
import type { Mail } from '../readers/mail.ts'
import { isMailKind, type MailKind, parseMails } from '../readers/parse-mail.ts'
import { mailLabel } from '../readers/eml.ts'
import type { MemberFiles } from './member-files.ts'

/** Mails within a mail, or within an archive, whose files are taken out too. */
const MAX_DEPTH = 2
const TOO_DEEP = new MediaFailure(
  'not_a_document',
  'A file attached to a mail more than two levels deep is not opened: ingest that mail by itself',
)

/** Takes the files out of a mail or an mbox. @param prefix of their names, for a mail within another file */
export async function unpackMail(
  files: MemberFiles,
  { path, kind, prefix = '', depth = 0 }: { path: string; kind: MailKind; prefix?: string; depth?: number },
): Promise<void> {
  const mails = await parseMails(await readFile(path), kind)
  for (const [index, mail] of mails.entries()) {
    const within = mails.length > 1 ? `${prefix}${mailLabel(index)}/` : prefix
    await unpackOne(files, mail, within, depth)
  }
}

async function unpackOne(files: MemberFiles, { attached }: Mail, prefix: string, depth: number): Promise<void> {
  for (const { name, bytes } of attached) {
    if (depth > MAX_DEPTH) files.skip(`${prefix}${name}`, TOO_DEEP)
    else await openMail(files, await files.add(`${prefix}${name}`, bytes), depth + 1)
  }
}

/** Takes the files out of a member that is a mail; another member stays as it is. */
export async function openMail(
  files: MemberFiles,
  { name, path }: { name: string; path: string },
  depth = 1,
): Promise<void> {
  const kind = await sniffFile(path, name)
  if (!isMailKind(kind)) return
  try {
    await unpackMail(files, { path, kind, prefix: `${name}/`, depth })
  } catch (error) {
    // A damaged mail is reported when its body is read.
    if (!(error instanceof MediaFailure) || error.reason !== 'damaged') throw error
  }
}

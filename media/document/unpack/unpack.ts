// The files within an archive or a mail, and within those that these hold. Files of operating systems are left out; what
// cannot be read is skipped and named.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { sniffFile } from '../../kind/kind-of-file.ts'
import { type ArchiveKind, isArchiveKind } from '../../kind/document-types.ts'
import { mailLabel } from '../readers/eml.ts'
import { isMailKind, type MailKind, parseMails } from '../readers/parse-mail.ts'
import type { ArchivedFile, Source } from './archived-file.ts'
import { checkName, isSystemFile } from './file-names.ts'
import type { MemberFiles } from './member-files.ts'
import { sevenZipFiles, singleFiles } from './unpack-seven-zip.ts'
import { gzipFiles, tarFiles } from './unpack-tar.ts'
import { zipFiles } from './unpack-zip.ts'

/** Archives and mails within another one that are opened too. */
const MAX_DEPTH = 2
const TOO_DEEP = new MediaFailure(
  'not_a_document',
  'What is more than two levels deep in archives or mails is not opened: ingest it by itself',
)

const READERS: Record<ArchiveKind, (source: Source) => AsyncIterable<ArchivedFile>> = {
  zip: zipFiles,
  tar: tarFiles,
  gz: gzipFiles,
  '7z': sevenZipFiles,
  rar: sevenZipFiles,
  cab: sevenZipFiles,
  lha: sevenZipFiles,
  arj: sevenZipFiles,
  cpio: sevenZipFiles,
  xz: singleFiles,
  bz2: singleFiles,
  zst: singleFiles,
  compress: singleFiles,
}

interface Container {
  path: string
  /** The client's name of it, or that within another one. */
  name: string
  /** Of the names of its files, when it is within another one. */
  prefix?: string
  /** How many others it is in. */
  depth?: number
}

/** Takes the files out of an archive. @throws MediaFailure */
export async function unpackArchive(
  files: MemberFiles,
  { path, name, prefix = '', depth = 0 }: Container,
  kind: ArchiveKind,
): Promise<void> {
  for await (const file of filesOf({ path, name, folder: files.folder }, kind)) {
    const stored = file.name.replaceAll('\\', '/')
    if (stored.endsWith('/') || isSystemFile(stored)) continue
    const within = `${prefix}${stored}`
    await files.orSkip(within, async () => {
      checkName(stored)
      await addFile(files, { name: within, bytes: await file.read(), depth: depth + 1 })
    })
  }
}

/** Libraries have many errors for damaged archives; those of the system say nothing about the file. */
async function* filesOf(source: Source, kind: ArchiveKind): AsyncGenerator<ArchivedFile> {
  try {
    yield* READERS[kind](source)
  } catch (cause) {
    if (cause instanceof MediaFailure || (cause instanceof Error && 'syscall' in cause)) throw cause
    throw new MediaFailure('damaged', 'The archive is damaged and cannot be opened', { cause })
  }
}

/** Takes the files out of a mail or an mbox. */
export async function unpackMail(
  files: MemberFiles,
  { path, prefix = '', depth = 0 }: Omit<Container, 'name'>,
  kind: MailKind,
): Promise<void> {
  const mails = await parseMails(await readFile(path), kind)
  for (const [index, { attached }] of mails.entries()) {
    const within = mails.length > 1 ? `${prefix}${mailLabel(index)}/` : prefix
    for (const { name, bytes } of attached) {
      if (depth > MAX_DEPTH) files.skip(`${within}${name}`, TOO_DEEP)
      else
        await files.orSkip(`${within}${name}`, () =>
          addFile(files, { name: `${within}${name}`, bytes, depth: depth + 1 }),
        )
    }
  }
}

/** A file, and of a mail also those in it; of an archive only those. @throws MediaFailure when it cannot be opened */
async function addFile(
  files: MemberFiles,
  { name, bytes, depth }: { name: string; bytes: Uint8Array; depth: number },
): Promise<void> {
  const path = await files.write(bytes)
  const kind = await sniffFile(path, name)
  if (isArchiveKind(kind)) {
    if (depth > MAX_DEPTH) throw TOO_DEEP
    return unpackArchive(files, { path, name, prefix: `${name}/`, depth }, kind)
  }
  const member = files.add(name, path)
  if (!isMailKind(kind)) return
  try {
    await unpackMail(files, { path, prefix: `${member.name}/`, depth }, kind)
  } catch (error) {
    // A damaged mail is reported when its body is read.
    if (!(error instanceof MediaFailure) || error.reason !== 'damaged') throw error
  }
}

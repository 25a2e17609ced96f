// The files within an archive. Those of operating systems are left out; what cannot be read is skipped and named.
import type { Unpacked } from '../members.ts'
import type { ArchiveKind } from '../../kind/document-types.ts'
import type { ArchivedFile, Source } from './archived-file.ts'
import { checkName, isSystemFile } from './file-names.ts'
import { MemberFiles } from './member-files.ts'
import { openMail } from './unpack-mail.ts'
import { sevenZipFiles, singleFiles } from './unpack-seven-zip.ts'
import { gzipFiles, tarFiles } from './unpack-tar.ts'
import { zipFiles } from './unpack-zip.ts'

const READERS: Record<ArchiveKind, (source: Source) => AsyncIterable<ArchivedFile>> = {
  zip: zipFiles,
  tar: tarFiles,
  gz: gzipFiles,
  '7z': sevenZipFiles,
  rar: sevenZipFiles,
  xz: singleFiles,
  bz2: singleFiles,
  zst: singleFiles,
}

/** @throws MediaFailure */
export async function unpackArchive(source: Source, kind: ArchiveKind): Promise<Unpacked> {
  const files = new MemberFiles(source.folder)
  for await (const file of READERS[kind](source)) await take(files, file)
  return { members: files.members, skipped: files.skipped }
}

async function take(files: MemberFiles, { name: stored, read }: ArchivedFile): Promise<void> {
  const name = stored.replaceAll('\\', '/')
  if (name.endsWith('/') || isSystemFile(name)) return
  const member = await files.addOrSkip(name, async () => {
    checkName(name)
    return read()
  })
  if (member) await openMail(files, member)
}

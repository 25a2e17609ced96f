// Parts of a document that is an archive, such as its pictures.
import type { Unpacked } from '../members.ts'
import { withArchive } from '../readers/archive.ts'
import { MemberFiles } from './member-files.ts'

/** @throws MediaFailure */
export async function unpackParts(source: {
  path: string
  folder: string
  parts: readonly string[]
}): Promise<Unpacked> {
  const files = new MemberFiles(source.folder)
  await withArchive(source.path, async (archive) => {
    for (const part of source.parts)
      await files.orSkip(part, async () => void files.add(part, await files.write(await archive.bytes(part))))
  })
  return { members: files.members, skipped: files.skipped }
}

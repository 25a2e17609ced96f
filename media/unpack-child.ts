// The program in which archives are taken apart: what is in one becomes files whose names are numbers, never theirs.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answerRequests, folder } from './answering.ts'
import type { Member } from './members.ts'
import { MediaFailure } from './failure.ts'
import { withArchive } from './readers/archive.ts'

export interface UnpackRequest {
  path: string
}

/** Most files of one archive. */
const MAX_MEMBERS = 200
/** Most bytes of all of them together. */
const MAX_BYTES = 1_024 * 2 ** 20
/** What systems put into archives for themselves. */
const HIDDEN = /(?:^|\/)(?:\.|__MACOSX\/|Thumbs\.db$)/

answerRequests<UnpackRequest>(async ({ path }) => {
  const members: Member[] = []
  let written = 0
  await withArchive(path, async (archive) => {
    const names = archive.names.filter((name) => !name.endsWith('/') && !HIDDEN.test(name))
    if (names.length > MAX_MEMBERS)
      throw new MediaFailure('too_large', `The archive holds ${names.length} files; ${MAX_MEMBERS} are allowed`)
    for (const [index, name] of names.entries()) {
      const bytes = await archive.bytes(name)
      written += bytes.length
      if (written > MAX_BYTES)
        throw new MediaFailure('too_large', `The files of the archive are larger than ${MAX_BYTES} bytes together`)
      const file = join(folder, String(index + 1))
      await writeFile(file, bytes)
      members.push({ name, path: file })
    }
  })
  return { members }
})

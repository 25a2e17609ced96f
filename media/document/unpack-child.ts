// The child program that unpacks containers: members are written to files with numeric names, never their own.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answerRequests } from '../process/child-protocol.ts'
import { MediaFailure } from '../failure.ts'
import { headOf } from '../kind/kind-of-file.ts'
import type { Member, UnpackRequest } from './members.ts'
import { withArchive } from './readers/archive.ts'
import { attachmentsOf, readMail } from './readers/mail.ts'
import { sniffDocument } from '../kind/sniff-document.ts'

/** Limit of files within one. */
const MAX_MEMBERS = 200
/** Limit of their total bytes. */
const MAX_BYTES = 1_024 * 2 ** 20
/** Files that operating systems add to archives. */
const HIDDEN = /(?:^|\/)(?:\.|__MACOSX\/|Thumbs\.db$)/

answerRequests<UnpackRequest>(async ({ path, name, folder }) => {
  if (sniffDocument(await headOf(path), name) === 'zip') return { members: await unpackArchive(path, folder) }
  const attached = attachmentsOf(await readMail(path), [name])
  const files = await writeMembers(
    folder,
    attached.map((file) => file.name),
    (_, index) => attached[index]!.bytes,
  )
  return { members: [{ name, path }, ...files] }
})

function unpackArchive(path: string, folder: string): Promise<Member[]> {
  return withArchive(path, (archive) => {
    const names = archive.names.filter((name) => !name.endsWith('/') && !HIDDEN.test(name))
    return writeMembers(folder, names, (name) => archive.bytes(name))
  })
}

async function writeMembers(
  folder: string,
  names: string[],
  read: (name: string, index: number) => Uint8Array | Promise<Uint8Array>,
): Promise<Member[]> {
  if (names.length > MAX_MEMBERS)
    throw new MediaFailure('too_large', `The file holds ${names.length} others; ${MAX_MEMBERS} are allowed`)
  const members: Member[] = []
  let written = 0
  for (const [index, name] of names.entries()) {
    const bytes = await read(name, index)
    written += bytes.length
    if (written > MAX_BYTES)
      throw new MediaFailure('too_large', `The files within are larger than ${MAX_BYTES} bytes together`)
    const path = join(folder, String(index + 1))
    await writeFile(path, bytes)
    members.push({ name, path })
  }
  return members
}

// The child program that unpacks containers: mails and archives, and parts of documents.
import { answerRequests } from '../process/child-protocol.ts'
import { sniffFile } from '../kind/kind-of-file.ts'
import type { Unpacked, UnpackRequest } from './members.ts'
import { isMailKind } from './readers/parse-mail.ts'
import { isArchiveKind } from '../kind/document-types.ts'
import { unpackArchive } from './unpack/unpack-archive.ts'
import { unpackMail } from './unpack/unpack-mail.ts'
import { unpackParts } from './unpack/unpack-parts.ts'
import { MemberFiles } from './unpack/member-files.ts'

answerRequests<UnpackRequest>(async ({ path, name, folder, parts }): Promise<Unpacked> => {
  if (parts) return unpackParts({ path, folder, parts })
  const kind = await sniffFile(path, name)
  if (isArchiveKind(kind)) return unpackArchive({ path, name, folder }, kind)
  if (!isMailKind(kind)) return { members: [{ name, path }], skipped: [] }
  const files = new MemberFiles(folder, [name])
  await unpackMail(files, { path, kind })
  return { members: [{ name, path }, ...files.members], skipped: files.skipped }
})

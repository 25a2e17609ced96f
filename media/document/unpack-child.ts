// The child program that unpacks containers: mails and archives, and parts of documents.
import { answerRequests } from '../process/child-protocol.ts'
import { sniffFile } from '../kind/kind-of-file.ts'
import type { Unpacked, UnpackRequest } from './members.ts'
import { isMailKind } from './readers/parse-mail.ts'
import { isArchiveKind } from '../kind/document-types.ts'
import { unpackParts } from './unpack/unpack-parts.ts'
import { MemberFiles } from './unpack/member-files.ts'
import { unpackArchive, unpackMail } from './unpack/unpack.ts'

answerRequests<UnpackRequest>(async ({ path, name, folder, parts }): Promise<Unpacked> => {
  if (parts) return unpackParts({ path, folder, parts })
  const kind = await sniffFile(path, name)
  const files = new MemberFiles(folder, isArchiveKind(kind) ? [] : [name])
  if (isArchiveKind(kind)) await unpackArchive(files, { path, name }, kind)
  else if (isMailKind(kind)) await unpackMail(files, { path }, kind)
  const whole = isArchiveKind(kind) ? [] : [{ name, path }]
  return { members: [...whole, ...files.members], skipped: files.skipped }
})

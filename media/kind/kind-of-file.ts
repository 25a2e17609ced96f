// Detects the format of a file, or the reason why it is unsupported.
import { type FileHandle, open } from 'node:fs/promises'
import { MediaFailure } from '../failure.ts'
import { oleKind } from './ole-kind.ts'
import { type DocumentKind, isArchiveKind, isDocumentKind } from './document-types.ts'
import { sniffDocument, SNIFFED_BYTES, type SniffedKind } from './sniff-document.ts'
import { sniffMedia } from './sniff-media.ts'
import { isUnreadKind, UNREAD } from './unread-kinds.ts'
import { zipKind } from './zip-kind.ts'
import { zipNames } from './zip-names.ts'

/**
 * Detects the format of a file.
 * @param name the client's file name
 * @throws MediaFailure when it is empty or unsupported
 */
export async function kindOfFile(path: string, name: string): Promise<DocumentKind> {
  const kind = await sniffFile(path, name)
  if (isDocumentKind(kind)) return kind
  if (kind === 'empty') throw new MediaFailure('empty', 'The file is empty')
  if (kind === 'encrypted')
    throw new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
  if (kind === 'ole')
    throw new MediaFailure(
      'not_a_document',
      'The file is of an old format that is not read: save it as DOCX, XLSX, PPTX or PDF with the program that made it',
    )
  if (isArchiveKind(kind)) throw new MediaFailure('not_a_document', 'The file is an archive of no known kind')
  if (isUnreadKind(kind)) throw new MediaFailure('not_a_document', UNREAD[kind])
  if (sniffMedia(await headOf(path))?.kind === 'audio')
    throw new MediaFailure('not_a_document', 'The file is a recording: a job of kind `audio` reads it')
  throw new MediaFailure('not_a_document', 'The file is no document that can be read')
}

/** The format of a file by its content, of an OLE container by what is in it. */
export async function sniffFile(path: string, name: string): Promise<SniffedKind | 'empty' | 'encrypted' | undefined> {
  const file = await open(path)
  try {
    const head = await readHead(file)
    if (head.length === 0) return 'empty'
    const kind = sniffDocument(head, name)
    // Those of Apple differ by parts that may stand far behind.
    if (kind === 'zip' || kind === 'pages') return zipKind(await zipNames(file), name)
    // Works writes nothing that tells its texts from other files.
    if (kind === 'ole') return (await oleKind(file)) ?? (/\.wps$/i.test(name) ? 'wps' : kind)
    return kind
  } finally {
    await file.close()
  }
}

/** The first bytes of a file, enough to detect its format. */
export async function headOf(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    return await readHead(file)
  } finally {
    await file.close()
  }
}

async function readHead(file: FileHandle): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0)
  return buffer.subarray(0, bytesRead)
}

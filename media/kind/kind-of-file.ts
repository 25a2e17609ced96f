// Detects the format of a file, or the reason why it is unsupported.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { MediaFailure } from '../failure.ts'
import { type DocumentKind, isDocumentKind, sniffDocument, SNIFFED_BYTES } from './sniff-document.ts'

/**
 * Detects the format of a file.
 * @param name the client's file name
 * @throws MediaFailure when it is empty or unsupported
 */
export async function kindOfFile(path: string, name: string): Promise<DocumentKind> {
  const head = await headOf(path)
  if (head.length === 0) throw new MediaFailure('empty', 'The file is empty')
  const kind = sniffDocument(head, name)
  if (isDocumentKind(kind)) return kind
  if (kind === 'ole') throw await oleFailure(createReadStream(path))
  if (kind === 'zip') throw new MediaFailure('not_a_document', 'The file is an archive of no known kind')
  throw new MediaFailure('not_a_document', 'The file is no document that can be read')
}

/** The first bytes of a file, enough to detect its format. */
export async function headOf(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Office's name of the encrypted stream within its OLE container. */
const ENCRYPTED = Buffer.from('EncryptedPackage', 'utf16le')

async function oleFailure(bytes: AsyncIterable<Buffer>): Promise<MediaFailure> {
  let tail = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const seen = Buffer.concat([tail, chunk])
    if (seen.includes(ENCRYPTED))
      return new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
    tail = seen.subarray(-ENCRYPTED.length)
  }
  return new MediaFailure(
    'not_a_document',
    'Files of Word, Excel and PowerPoint from before 2007 are not read: save it as DOCX, XLSX or PPTX',
  )
}

// ZIP archives of files, as Windows, macOS and programs of East Asia write them. A file in it that is encrypted, damaged or
// unsafe is skipped, and the others are read.
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { MediaFailure } from '../../failure.ts'
import { decodeNames } from './file-names.ts'
import { MAX_BYTES, MAX_FILE, tooLarge } from './member-files.ts'
import { damaged, type ArchivedFile, type Source } from './archived-file.ts'

const MAX_ENTRIES = 20_000
/** Highest compression ratio of a large file. */
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
/** Names are in UTF-8 by this flag; some programs set it wrongly. */
const UTF8_FLAG = 0x800
/** The extra field that holds the name in UTF-8. */
const UNICODE_PATH = 0x7075

/** @throws MediaFailure */
export async function* zipFiles({ path }: Source): AsyncGenerator<ArchivedFile> {
  const zip = await openPromise(path, { autoClose: false, decodeStrings: false, validateEntrySizes: false }).catch(
    (cause: unknown) => {
      throw new MediaFailure('damaged', 'The archive is damaged and cannot be opened', { cause })
    },
  )
  try {
    yield* await filesOf(zip)
  } finally {
    zip.close()
  }
}

async function filesOf(zip: ZipFile): Promise<ArchivedFile[]> {
  if (zip.entryCount > MAX_ENTRIES)
    throw new MediaFailure('unsafe', `The archive has ${zip.entryCount} entries; ${MAX_ENTRIES} are allowed`)
  const entries: Entry[] = []
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry)
  } catch (cause) {
    // What its directory lists up to there can be read.
    if (entries.length === 0)
      throw new MediaFailure('damaged', 'The archive is damaged and cannot be opened', { cause })
  }
  const names = decodeNames(entries.map(nameBytes))
  const files = entries.map((entry, index) => ({ name: names[index]!, read: () => readEntry(zip, entry) }))
  if (entries.length === zip.entryCount) return files
  return [...files, { name: 'The rest of the archive', read: () => Promise.reject(damaged()) }]
}

/** Without `decodeStrings` a name is its bytes. */
function nameBytes(entry: Entry): Buffer {
  const extra = entry.extraFields.find(({ id }) => id === UNICODE_PATH)?.data
  // A version, and a checksum of the other name, stand before it.
  const unicode =
    (entry.generalPurposeBitFlag & UTF8_FLAG) === 0 && extra && extra.length > 5 ? extra.subarray(5) : undefined
  return unicode ?? (entry.fileName as unknown as Buffer)
}

async function readEntry(zip: ZipFile, entry: Entry): Promise<Buffer> {
  const { compressedSize: packed, uncompressedSize: size } = entry
  if (entry.isEncrypted()) throw new MediaFailure('encrypted', 'It is encrypted and opens only with a password')
  if (size > MAX_BYTES || (size > LARGE && size > packed * MAX_RATIO))
    throw new MediaFailure('unsafe', 'It unpacks to far more than its size, as bombs do')
  if (size > MAX_FILE) throw tooLarge()
  try {
    const bytes = await readUpTo(await zip.openReadStreamPromise(entry), size)
    if (crc32(bytes) !== entry.crc32) throw new Error('the checksum is wrong')
    return bytes
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : ''
    if (/unsupported compression method/i.test(message))
      throw new MediaFailure('not_a_document', 'It is compressed by a method that is not read', { cause })
    throw damaged(cause)
  }
}

/** Sizes are checked here, so that one wrong size does not make the whole directory unreadable. */
async function readUpTo(stream: Readable, size: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let read = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    read += chunk.length
    if (read > size) throw new Error('it is larger than its noted size')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

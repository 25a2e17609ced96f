// ZIP archives of files, as Windows, macOS and programs of East Asia write them. A file in it that is encrypted, damaged or
// unsafe is skipped, and the others are read.
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type Entry, openPromise, ZipFile } from 'yauzl'
import { MediaFailure } from '../../failure.ts'
import { decodeNames } from './file-names.ts'
import { cutZipFiles } from './unpack-cut-zip.ts'
import { MAX_BYTES, MAX_FILE, tooLarge } from './member-files.ts'
import { damaged, encrypted, rest, type ArchivedFile, type Source } from './archived-file.ts'
import { sevenZipFiles } from './unpack-seven-zip.ts'

const MAX_ENTRIES = 20_000
/** Highest compression ratio of a large file. */
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
/** Names are in UTF-8 by this flag; some programs set it wrongly. */
const UTF8_FLAG = 0x800
/** The extra field that holds the name in UTF-8. */
const UNICODE_PATH = 0x7075
/** Stored, Deflate, and a mark of encryption. 7-Zip knows others, such as LZMA and the Deflate64 of Windows. */
const METHODS: ReadonlySet<number> = new Set([0, 8, 99])

/** @throws MediaFailure */
export async function* zipFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const options = { autoClose: false, decodeStrings: false, validateEntrySizes: false }
  const zip = await openPromise(source.path, options).catch((cause: unknown) => cause)
  if (!(zip instanceof ZipFile)) {
    if (isEncryption(zip))
      throw new MediaFailure('encrypted', 'The archive is encrypted and opens only with a password')
    yield* cutZipFiles(source)
    return
  }
  try {
    yield* await filesOf(zip, source)
  } finally {
    zip.close()
  }
}

async function filesOf(zip: ZipFile, source: Source): Promise<ArchivedFile[] | AsyncIterable<ArchivedFile>> {
  if (zip.entryCount > MAX_ENTRIES)
    throw new MediaFailure('unsafe', `The archive has ${zip.entryCount} entries; ${MAX_ENTRIES} are allowed`)
  const entries: Entry[] = []
  let fault: unknown
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry)
  } catch (cause) {
    fault = cause
  }
  if (entries.some((entry) => !METHODS.has(entry.compressionMethod))) return sevenZipFiles(source)
  const names = decodeNames(entries.map(nameBytes))
  const files = entries.flatMap((entry, index): ArchivedFile[] =>
    isLink(entry) ? [] : [{ name: names[index]!, read: () => readEntry(zip, entry) }],
  )
  if (entries.length === zip.entryCount) return files
  const failure = isEncryption(fault) ? encrypted(fault) : damaged(fault)
  // What its directory lists up to the fault can be read.
  if (files.length > 0) return [...files, rest(failure)]
  if (failure.reason === 'damaged') return cutZipFiles(source)
  throw new MediaFailure(failure.reason, `The archive cannot be opened: ${failure.message}`, { cause: fault })
}

/** yauzl throws plain errors: only their texts tell them apart. */
function isEncryption(error: unknown): boolean {
  return error instanceof Error && /encrypt/i.test(error.message)
}

/** A link has this type in the attributes of Unix. */
function isLink({ versionMadeBy, externalFileAttributes }: Entry): boolean {
  return versionMadeBy >> 8 === 3 && ((externalFileAttributes >>> 16) & 0o170000) === 0o120000
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
  if (entry.isEncrypted()) throw encrypted()
  if (size > MAX_BYTES || (size > LARGE && size > packed * MAX_RATIO))
    throw new MediaFailure('unsafe', 'It unpacks to far more than its size, as bombs do')
  if (size > MAX_FILE) throw tooLarge()
  try {
    const bytes = await readUpTo(await zip.openReadStreamPromise(entry), size)
    if (crc32(bytes) !== entry.crc32) throw new Error('the checksum is wrong')
    return bytes
  } catch (cause) {
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

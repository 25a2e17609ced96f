// The ZIP archive of a document (DOCX, XLSX, EPUB …), checked before any library opens it: zip bombs, path traversal,
// and encrypted entries are refused.
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { zipSync } from 'fflate'
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from 'yauzl'
import { MediaFailure } from '../../failure.ts'

/** Limits: entries, total unpacked bytes, and compression ratio of large ones. */
const MAX_ENTRIES = 20_000
const MAX_UNPACKED = 1_024 * 2 ** 20
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
/** Limit of one part, in bytes. */
const MAX_PART = 256 * 2 ** 20

const OPTIONS = { autoClose: false, strictFileNames: true }

export class Archive {
  readonly #zip: ZipFile
  readonly #entries: Map<string, Entry>

  private constructor(zip: ZipFile, entries: Map<string, Entry>) {
    this.#zip = zip
    this.#entries = entries
  }

  /** @throws MediaFailure */
  static open(path: string): Promise<Archive> {
    return Archive.#read(() => openPromise(path, OPTIONS))
  }

  /** Of a file within a document. @throws MediaFailure */
  static fromBytes(bytes: Buffer): Promise<Archive> {
    return Archive.#read(() => fromBufferPromise(bytes, OPTIONS))
  }

  static async #read(open: () => Promise<ZipFile>): Promise<Archive> {
    try {
      const zip = await open()
      return new Archive(zip, await entriesOf(zip))
    } catch (error) {
      throw toFailure(error)
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()]
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** @throws MediaFailure, also when there is no such part */
  async bytes(name: string): Promise<Buffer> {
    const entry = this.#entries.get(name)
    if (!entry) throw new MediaFailure('damaged', `The document lacks a part that it needs: ${name}`)
    if (entry.uncompressedSize > MAX_PART)
      throw new MediaFailure('too_large', `A part of the document is too large: ${name}`)
    try {
      const bytes = await buffer(await this.#zip.openReadStreamPromise(entry))
      if (crc32(bytes) !== entry.crc32) throw new Error(`the checksum of ${name} is wrong`)
      return bytes
    } catch (error) {
      throw toFailure(error)
    }
  }

  /** XML without entity declarations, which no document needs. @throws MediaFailure */
  async xml(name: string): Promise<string> {
    const bytes = await this.bytes(name)
    return checkEntities(new TextDecoder(bytes[0] === 0xff || bytes[0] === 0xfe ? 'utf-16' : 'utf-8').decode(bytes))
  }

  /** A new archive with some parts, for a library: XML parts are checked. @throws MediaFailure */
  async copy(wanted: (name: string) => boolean, change = (_name: string, xml: string) => xml): Promise<Buffer> {
    const parts: Record<string, Uint8Array> = {}
    for (const name of this.names) {
      if (name.endsWith('/') || !wanted(name)) continue
      parts[name] = /\.(xml|rels)$/i.test(name)
        ? Buffer.from(change(name, await this.xml(name)))
        : new Uint8Array(await this.bytes(name))
    }
    return Buffer.from(zipSync(parts, { level: 0 }))
  }

  close(): void {
    this.#zip.close()
  }
}

/** XML as it is. @throws MediaFailure when it declares entities, which no document needs */
export function checkEntities(xml: string): string {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml))
    throw new MediaFailure('unsafe', 'The document declares entities of its own; it is not read')
  return xml
}

/** @throws MediaFailure */
export async function withArchive<T>(path: string, work: (archive: Archive) => Promise<T>): Promise<T> {
  const archive = await Archive.open(path)
  try {
    return await work(archive)
  } finally {
    archive.close()
  }
}

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  if (zip.entryCount > MAX_ENTRIES)
    throw new MediaFailure('unsafe', `The archive has ${zip.entryCount} entries; ${MAX_ENTRIES} are allowed`)
  const entries = new Map<string, Entry>()
  let packed = 0
  let unpacked = 0
  for await (const entry of zip.eachEntry()) {
    if (entry.isEncrypted())
      throw new MediaFailure('encrypted', 'The archive is encrypted and opens only with a password')
    if (entries.has(entry.fileName)) throw new MediaFailure('unsafe', 'The archive has two entries of one name')
    packed += entry.compressedSize
    unpacked += entry.uncompressedSize
    if (unpacked > MAX_UNPACKED || (unpacked > LARGE && unpacked > packed * MAX_RATIO))
      throw new MediaFailure('unsafe', 'The archive unpacks to far more than its size, as bombs do')
    entries.set(entry.fileName, entry)
  }
  return entries
}

/** yauzl throws plain errors: only their texts tell them apart. */
function toFailure(error: unknown): MediaFailure {
  if (error instanceof MediaFailure) return error
  const message = error instanceof Error ? error.message : ''
  if (/relative path|absolute path|invalid characters in fileName/i.test(message))
    return new MediaFailure('unsafe', 'The archive has an entry whose name leads outside of it', { cause: error })
  if (/encrypt/i.test(message))
    return new MediaFailure('encrypted', 'The archive is encrypted and opens only with a password', { cause: error })
  return new MediaFailure('damaged', 'The archive is damaged and cannot be opened', { cause: error })
}

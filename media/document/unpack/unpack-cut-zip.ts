// A ZIP whose directory, at its end, is missing, as of a download that was interrupted: each file has a header of its own too.
import { readFile } from 'node:fs/promises'
import { crc32, inflateRawSync } from 'node:zlib'
import { MediaFailure } from '../../failure.ts'
import { damaged, encrypted, otherMethod, rest, type ArchivedFile, type Source } from './archived-file.ts'
import { decodeNames } from './file-names.ts'
import { MAX_FILE } from './member-files.ts'

const HEADER = Buffer.from('PK\x03\x04', 'latin1')
const HEADER_LENGTH = 30
/** Highest compression ratio of a large file. */
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
const ENCRYPTED = 0x1
/** Checksum and sizes stand behind the file instead of before it. */
const DESCRIBED_BEHIND = 0x8

interface Entry {
  name: Buffer
  flags: number
  method: number
  checksum: number
  content: Buffer
}

/** @throws MediaFailure when there is none */
export async function* cutZipFiles({ path }: Source): AsyncGenerator<ArchivedFile> {
  const entries = entriesOf(await readFile(path))
  if (entries.length === 0) throw new MediaFailure('damaged', 'The archive is damaged and cannot be opened')
  const names = decodeNames(entries.map(({ name }) => name))
  for (const [index, entry] of entries.entries()) yield { name: names[index]!, read: async () => contentOf(entry) }
  yield rest()
}

function entriesOf(bytes: Buffer): Entry[] {
  const entries: Entry[] = []
  let at = bytes.indexOf(HEADER)
  while (at >= 0 && at + HEADER_LENGTH <= bytes.length) {
    const name = at + HEADER_LENGTH
    const start = name + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28)
    const flags = bytes.readUInt16LE(at + 6)
    const size = bytes.readUInt32LE(at + 18)
    const next = bytes.indexOf(HEADER, flags & DESCRIBED_BEHIND ? start : start + size)
    entries.push({
      name: bytes.subarray(name, name + bytes.readUInt16LE(at + 26)),
      flags,
      method: bytes.readUInt16LE(at + 8),
      checksum: bytes.readUInt32LE(at + 14),
      content: bytes.subarray(start, flags & DESCRIBED_BEHIND ? (next < 0 ? undefined : next) : start + size),
    })
    at = next
  }
  return entries
}

function contentOf({ flags, method, checksum, content }: Entry): Uint8Array {
  if (flags & ENCRYPTED) throw encrypted()
  const isDescribed = (flags & DESCRIBED_BEHIND) === 0
  if (method !== 0 && method !== 8) throw otherMethod()
  // Only Deflate marks its own end.
  if (method === 0 && !isDescribed) throw damaged()
  const bytes = method === 0 ? content : inflated(content)
  if (isDescribed && crc32(bytes) !== checksum) throw damaged()
  return bytes
}

function inflated(content: Buffer): Uint8Array {
  try {
    return inflateRawSync(content, { maxOutputLength: Math.min(MAX_FILE, Math.max(LARGE, content.length * MAX_RATIO)) })
  } catch (cause) {
    throw damaged(cause)
  }
}

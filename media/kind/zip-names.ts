// The names of the parts of a ZIP, from the directory at its end.
import type { FileHandle } from 'node:fs/promises'

const END = Buffer.from('PK\x05\x06', 'latin1')
/** The end of the directory, and the longest comment behind it. */
const END_LENGTH = 22
const MAX_COMMENT = 65_535
/** Limit of the directory that is read. */
const MAX_DIRECTORY = 4 * 2 ** 20
const ENTRY = 0x02014b50
const ENTRY_LENGTH = 46

/** @returns none for a damaged file */
export async function zipNames(file: FileHandle): Promise<string[]> {
  const { size } = await file.stat()
  const tail = await bytesAt(file, Math.max(0, size - END_LENGTH - MAX_COMMENT), END_LENGTH + MAX_COMMENT)
  const end = tail.lastIndexOf(END)
  if (end < 0 || end + END_LENGTH > tail.length) return []
  const length = Math.min(tail.readUInt32LE(end + 12), MAX_DIRECTORY)
  const directory = await bytesAt(file, tail.readUInt32LE(end + 16), length)
  const names: string[] = []
  for (let at = 0; at + ENTRY_LENGTH <= directory.length && directory.readUInt32LE(at) === ENTRY;) {
    const name = directory.readUInt16LE(at + 28)
    names.push(directory.toString('latin1', at + ENTRY_LENGTH, at + ENTRY_LENGTH + name))
    at += ENTRY_LENGTH + name + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return names
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

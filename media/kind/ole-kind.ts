// Detects what is in an OLE compound file, the container of Office before 2007 and of Outlook, by the names in its root.
import type { FileHandle } from 'node:fs/promises'
import type { OfficeKind } from './office-kinds.ts'

/** `encrypted`: a newer Office document with a password. */
export type OleKind = OfficeKind | 'msg' | 'encrypted'

const NAMES: readonly [RegExp, OleKind][] = [
  [/^EncryptedPackage$/, 'encrypted'],
  [/^WordDocument$/, 'doc'],
  [/^(?:Workbook|Book)$/, 'xls'],
  [/^(?:PowerPoint Document|PP97_DUALSTORAGE|PP40)$/, 'ppt'],
  [/^__(?:properties_version1\.0|nameid_version1\.0)$/, 'msg'],
  [/^VisioDocument$/, 'vsd'],
  [/^(?:Quill|MatchedQuill)$/, 'pub'],
  [/^(?:MatOST|MatOSTReserved|MN0|WksSSWorkBook)$/, 'wps'],
]

const ENTRY = 128
const END = 0xfffffffa
/** Limit of directory sectors that are read. */
const MAX_SECTORS = 4_096

/** @returns undefined for another content, or a damaged file */
export async function oleKind(file: FileHandle): Promise<OleKind | undefined> {
  const names = new Set(await rootNames(file))
  return NAMES.find(([pattern]) => [...names].some((name) => pattern.test(name)))?.[1]
}

async function rootNames(file: FileHandle): Promise<string[]> {
  const header = await bytesAt(file, 0, 512)
  if (header.length < 512) return []
  const size = 2 ** header.readUInt16LE(30)
  if (size !== 512 && size !== 4_096) return []
  const table = await tableReader(file, header, size)
  const directory: Buffer[] = []
  for (let at = header.readUInt32LE(48); at < END && directory.length < MAX_SECTORS; at = await table(at))
    directory.push(await bytesAt(file, (at + 1) * size, size))
  return childNames(Buffer.concat(directory))
}

/** Reads the next sector of a chain from the allocation table, whose first 109 sectors the header lists. */
async function tableReader(
  file: FileHandle,
  header: Buffer,
  size: number,
): Promise<(sector: number) => Promise<number>> {
  const sectors = Array.from({ length: 109 }, (_, index) => header.readUInt32LE(76 + index * 4))
  for (let at = header.readUInt32LE(68); at < END && sectors.length < MAX_SECTORS;) {
    const more = await bytesAt(file, (at + 1) * size, size)
    if (more.length < size) break
    for (let offset = 0; offset < size - 4; offset += 4) sectors.push(more.readUInt32LE(offset))
    at = more.readUInt32LE(size - 4)
  }
  return async (sector) => {
    const within = sectors[Math.floor((sector * 4) / size)] ?? END
    if (within >= END) return END
    const entry = await bytesAt(file, (within + 1) * size + ((sector * 4) % size), 4)
    return entry.length === 4 ? entry.readUInt32LE(0) : END
  }
}

/** Entries are a tree: the children of the root, without what embedded objects hold. */
function childNames(directory: Buffer): string[] {
  const names: string[] = []
  const seen = new Set<number>()
  const waiting = directory.length >= ENTRY ? [directory.readUInt32LE(76)] : []
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const at = index * ENTRY
    if (seen.has(index) || at + ENTRY > directory.length) continue
    seen.add(index)
    const length = Math.min(64, Math.max(2, directory.readUInt16LE(at + 64)))
    names.push(directory.toString('utf16le', at, at + length - 2))
    waiting.push(directory.readUInt32LE(at + 68), directory.readUInt32LE(at + 72))
  }
  return names
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

// Detects what is in an OLE compound file, the container of Office before 2007 and of Outlook, by the names in its root.
import { type FileHandle, open } from 'node:fs/promises'
import type { OfficeKind } from './office-kinds.ts'
import type { UnreadKind } from './unread-kinds.ts'

/** `encrypted`: a newer Office document with a password. */
export type OleKind = OfficeKind | UnreadKind | 'msg' | 'encrypted'

/** Some programs write the names in capitals. */
const NAMES: readonly [RegExp, OleKind][] = [
  [/^EncryptedPackage$/i, 'encrypted'],
  [/^WordDocument$/i, 'doc'],
  [/^(?:Workbook|Book)$/i, 'xls'],
  [/^(?:PowerPoint Document|PP97_DUALSTORAGE|PP40)$/i, 'ppt'],
  [/^__(?:properties_version1\.0|nameid_version1\.0)$/i, 'msg'],
  [/^VisioDocument$/i, 'vsd'],
  [/^(?:Quill|MatchedQuill)$/i, 'pub'],
  [/^(?:MatOST|MatOSTReserved|MN0|WksSSWorkBook)$/i, 'wps'],
  [/^StarWriterDocument$/i, 'sdw'],
  [/^StarCalcDocument$/i, 'sdc'],
  [/^Star(?:Draw|Impress)Document3?$/i, 'sdd'],
  [/^NativeContent_MAIN$/i, 'lotus'],
  [/^HwpSummaryInformation$/i, 'hwp'],
  [/^Props(?:9|1\d)$/i, 'project'],
]

const ENTRY = 128
const END = 0xfffffffa
/** Limit of directory sectors that are read. */
const MAX_SECTORS = 4_096

/** @returns undefined for another content, or a damaged file */
export async function oleKind(file: FileHandle): Promise<OleKind | undefined> {
  const streams = await rootStreams(file)
  const plain = streams.map(({ name }) => name.replace(/^\p{Cc}/u, ''))
  return NAMES.find(([pattern]) => plain.some((name) => pattern.test(name)))?.[1]
}

/** Whether a document of Word, Excel or PowerPoint from before 2007 opens only with a password. */
export async function isEncryptedOle(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    for (const { name, position } of await rootStreams(file)) {
      if (/^EncryptedSummary$/i.test(name)) return true
      const head = await bytesAt(file, position, 512)
      if (/^WordDocument$/i.test(name) && head.length > 12 && (head.readUInt16LE(10) & WORD_ENCRYPTED) !== 0)
        return true
      if (/^(?:Workbook|Book)$/i.test(name) && hasPassword(head)) return true
    }
    return false
  } finally {
    await file.close()
  }
}

const WORD_ENCRYPTED = 0x100
/** The record of Excel behind which all is encrypted. */
const FILEPASS = 0x2f

function hasPassword(head: Buffer): boolean {
  for (let at = 0; at + 4 <= head.length; at += 4 + head.readUInt16LE(at + 2))
    if (head.readUInt16LE(at) === FILEPASS) return true
  return false
}

interface Stream {
  name: string
  /** In the file, of a stream that is not very small. */
  position: number
}

async function rootStreams(file: FileHandle): Promise<Stream[]> {
  const header = await bytesAt(file, 0, 512)
  if (header.length < 512) return []
  const size = 2 ** header.readUInt16LE(30)
  if (size !== 512 && size !== 4_096) return []
  const table = await tableReader(file, header, size)
  const directory: Buffer[] = []
  for (let at = header.readUInt32LE(48); at < END && directory.length < MAX_SECTORS; at = await table(at))
    directory.push(await bytesAt(file, (at + 1) * size, size))
  return childrenOfRoot(Buffer.concat(directory), size)
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
function childrenOfRoot(directory: Buffer, sectorSize: number): Stream[] {
  const streams: Stream[] = []
  const seen = new Set<number>()
  const waiting = directory.length >= ENTRY ? [directory.readUInt32LE(76)] : []
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const at = index * ENTRY
    if (seen.has(index) || at + ENTRY > directory.length) continue
    seen.add(index)
    const length = Math.min(64, Math.max(2, directory.readUInt16LE(at + 64)))
    streams.push({
      name: directory.toString('utf16le', at, at + length - 2),
      position: (directory.readUInt32LE(at + 116) + 1) * sectorSize,
    })
    waiting.push(directory.readUInt32LE(at + 68), directory.readUInt32LE(at + 72))
  }
  return streams
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

// Tar archives, and single files that are compressed by gzip: a tar too, most often.
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import { MediaFailure } from '../../failure.ts'
import { sniffFile } from '../../kind/kind-of-file.ts'
import { decodeNames } from './file-names.ts'
import { MAX_BYTES, MAX_FILE, tooLarge } from './member-files.ts'
import { damaged, rest, temporaryPath, type ArchivedFile, type Source } from './archived-file.ts'

const FILES: ReadonlySet<Header['type']> = new Set(['file', 'contiguous-file'])

/** Their content must be read in order. */
export async function* tarFiles({ path }: Source): AsyncGenerator<ArchivedFile> {
  // Names as bytes: only newer programs write UTF-8. Its types lack the options (3.2.2, November 2026).
  const options = { filenameEncoding: 'latin1', allowUnknownFormat: true }
  const archive = extract(options as Parameters<typeof extract>[0])
  const reading = pipeline(createReadStream(path), archive).catch((cause: unknown) => cause)
  try {
    for await (const entry of archive) {
      const { name, size, type, pax } = entry.header
      if (!FILES.has(type ?? 'file')) {
        entry.resume()
        continue
      }
      // The extended header has names in UTF-8.
      const [decoded] =
        (pax as { path?: string } | null)?.path === undefined ? decodeNames([Buffer.from(name, 'latin1')]) : [name]
      let isRead = false
      yield {
        name: decoded!,
        read: () => {
          if (size > MAX_FILE) return Promise.reject(tooLarge())
          isRead = true
          return buffer(entry).catch((cause: unknown) => Promise.reject(damaged(cause)))
        },
      }
      if (!isRead) entry.resume()
    }
    const failure = await reading
    if (failure !== undefined) throw failure
  } catch {
    yield rest()
  }
}

/** The files of a compressed tar, or the one file. */
export async function* gzipFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const path = temporaryPath(source)
  yield* compressedFiles({ ...source, path }, !(await gunzip(source.path, path)))
}

/** @returns whether it was complete: up to a fault it is written @throws MediaFailure for a bomb */
async function gunzip(from: string, to: string): Promise<boolean> {
  const unpacked = await open(to, 'w')
  let size = 0
  try {
    const chunks: AsyncIterable<Buffer> = createReadStream(from).pipe(createGunzip())
    for await (const chunk of chunks) {
      size += chunk.length
      if (size > MAX_BYTES) throw new MediaFailure('unsafe', 'The file unpacks to far more than its size, as bombs do')
      await unpacked.write(chunk)
    }
    return true
  } catch (error) {
    if (error instanceof MediaFailure) throw error
    return false
  } finally {
    await unpacked.close()
  }
}

/** @param path the unpacked file @param isDamaged whether its end is missing */
export async function* compressedFiles(
  { path, name, folder }: Source,
  isDamaged = false,
): AsyncGenerator<ArchivedFile> {
  if ((await sniffFile(path, name)) === 'tar') yield* tarFiles({ path, name, folder })
  else
    yield {
      name: basename(name.replace(/\.(?:t?gz|xz|bz2|zst|z)$/i, '')),
      read: () => (isDamaged ? Promise.reject(damaged()) : readFile(path)),
    }
}

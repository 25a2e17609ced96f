// Archives that 7-Zip opens: 7z and RAR, and single files that are compressed by xz, bzip2 or Zstandard. Its WebAssembly
// has a file system in memory, so that no name or link in an archive leads anywhere.
import { constants } from 'node:fs'
import { createRequire } from 'node:module'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SevenZipModule, SevenZipModuleFactory } from '7z-wasm'
import { MediaFailure } from '../../failure.ts'
import { MAX_BYTES } from './member-files.ts'
import { damaged, type ArchivedFile, type Source } from './archived-file.ts'
import { compressedFiles } from './unpack-tar.ts'

/** Highest compression ratio of a large archive. */
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
const ARCHIVE = '/archive'
const OUT = '/out'
/** Names in UTF-8, no progress, and a password, for which the program asks without one. */
const OPTIONS = ['-sccUTF-8', '-bd', '-p-']

interface Listed {
  name: string
  size: number
  isEncrypted: boolean
}

/** The files of a 7z or a RAR. @throws MediaFailure */
export async function* sevenZipFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const { program, listed, errors } = await unpack(source)
  for (const { name, isEncrypted } of listed)
    yield {
      name,
      read: async () => {
        if (isEncrypted) throw new MediaFailure('encrypted', 'It is encrypted and opens only with a password')
        return take(program, name, errors)
      },
    }
}

/** The files of a compressed tar, or the one file. @throws MediaFailure */
export async function* singleFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const { program, errors } = await unpack(source)
  const [name] = program.FS.readdir(OUT).filter((each) => !/^\.\.?$/.test(each))
  if (name === undefined) throw damaged()
  const unpacked = join(source.folder, 'unpacked')
  await writeFile(unpacked, take(program, name, errors))
  yield* compressedFiles({ ...source, path: unpacked })
}

/** It asks an internal function of Node for constants, which a process without permissions does not have (1.2.0, November 2026). */
async function startProgram(print: (line: string) => void): Promise<SevenZipModule> {
  const start = createRequire(import.meta.url)('7z-wasm') as SevenZipModuleFactory
  const internal = Object.getOwnPropertyDescriptor(process, 'binding')
  Object.defineProperty(process, 'binding', { value: () => ({ fs: constants }), configurable: true })
  try {
    return await start({ print, printErr: print })
  } finally {
    if (internal) Object.defineProperty(process, 'binding', internal)
  }
}

async function unpack({ path }: Source): Promise<{ program: SevenZipModule; listed: Listed[]; errors: string }> {
  let lines: string[] = []
  const program = await startProgram((line) => lines.push(line))
  program.FS.writeFile(ARCHIVE, await readFile(path))
  program.callMain(['l', '-slt', '-ba', ...OPTIONS, ARCHIVE])
  const list = lines.join('\n')
  const listed = filesOf(list)
  if (listed.length === 0) throw failureOf(list)
  const size = listed.reduce((sum, file) => sum + file.size, 0)
  if (size > MAX_BYTES || (size > LARGE && size > (await stat(path)).size * MAX_RATIO))
    throw new MediaFailure('unsafe', 'The archive unpacks to far more than its size, as bombs do')
  lines = []
  program.callMain(['x', '-y', ...OPTIONS, `-o${OUT}`, ARCHIVE])
  return { program, listed, errors: lines.filter((line) => /^(?:ERROR|Sub items)/.test(line)).join('\n') }
}

/** From lines `Path = …`, `Size = …`; an empty line ends each file. */
function filesOf(list: string): Listed[] {
  return list.split('\n\n').flatMap((block) => {
    const field = (name: string) => new RegExp(`^${name} = (.*)$`, 'm').exec(block)?.[1]
    const name = field('Path')
    if (name === undefined && field('Size') === undefined) return []
    if (field('Folder') === '+' || field('Attributes')?.startsWith('D')) return []
    return [{ name: name ?? '', size: Number(field('Size')) || 0, isEncrypted: field('Encrypted') === '+' }]
  })
}

function take({ FS }: SevenZipModule, name: string, errors: string): Uint8Array {
  // Such a file is written up to the fault.
  if (errors.includes(` : ${name}`)) throw damaged()
  try {
    const path = `${OUT}/${name}`
    if (!FS.isFile(FS.lstat(path).mode)) throw new Error('it is a link')
    const bytes = FS.readFile(path) as Uint8Array
    FS.unlink(path)
    return bytes
  } catch (cause) {
    throw damaged(cause)
  }
}

function failureOf(list: string): MediaFailure {
  return /encrypted|wrong password/i.test(list)
    ? new MediaFailure('encrypted', 'The archive is encrypted and opens only with a password')
    : new MediaFailure('damaged', 'The archive is damaged and cannot be opened')
}

// Archives that 7-Zip opens: 7z, RAR and older ones, and single files that are compressed by xz, bzip2, Zstandard or
// compress. Its WebAssembly has a file system in memory, so that no name or link in an archive leads anywhere.
import { constants } from 'node:fs'
import { createRequire } from 'node:module'
import { readFile, stat, writeFile } from 'node:fs/promises'
import type { SevenZipModule, SevenZipModuleFactory } from '7z-wasm'
import { MediaFailure } from '../../failure.ts'
import { MAX_BYTES } from './member-files.ts'
import { damaged, encrypted, otherMethod, temporaryPath, type ArchivedFile, type Source } from './archived-file.ts'
import { compressedFiles } from './unpack-tar.ts'

/** Highest compression ratio of a large archive. */
const MAX_RATIO = 200
const LARGE = 32 * 2 ** 20
const ARCHIVE = '/archive'
const OUT = '/out'
/** Names in UTF-8, no progress, and a password, for which the program asks without one. */
const OPTIONS = ['-sccUTF-8', '-bd', '-p-']
/** The codec of encryption in the header of a 7z whose names are encrypted. */
const AES = Buffer.from('06f10701', 'hex')

interface Listed {
  name: string
  size: number
  isEncrypted: boolean
  /** Of an archive in several volumes: the rest of the file is in another one. */
  isPart: boolean
}

/** The files of an archive. @throws MediaFailure */
export async function* sevenZipFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const { program, listed, errors } = await unpack(source)
  for (const { name, isEncrypted, isPart } of listed) {
    // Links are left out.
    if (isLink(program, name)) continue
    yield {
      name,
      read: async () => {
        if (isEncrypted) throw encrypted()
        if (isPart)
          throw new MediaFailure(
            'damaged',
            'It is continued in another volume of the archive: unpack the volumes, and ingest the files',
          )
        return take(program, name, errors)
      },
    }
  }
}

/** The files of a compressed tar, or the one file. @throws MediaFailure */
export async function* singleFiles(source: Source): AsyncGenerator<ArchivedFile> {
  const { program, errors } = await unpack(source)
  const [name] = outputs(program)
  if (name === undefined) throw failureOf('')
  const unpacked = temporaryPath(source)
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

async function unpack({ path }: Source): Promise<{ program: SevenZipModule; listed: Listed[]; errors: string[] }> {
  let lines: string[] = []
  const program = await startProgram((line) => lines.push(line))
  const bytes = await readFile(path)
  program.FS.writeFile(ARCHIVE, bytes)
  const isListed = run(program, ['l', '-slt', '-ba', ...OPTIONS, ARCHIVE])
  const list = lines.join('\n')
  const listed = filesOf(list)
  if (listed.length === 0 && !isListed) throw failureOf(bytes.includes(AES) ? 'encrypted' : list)
  const size = listed.reduce((sum, file) => sum + (file.isPart ? 0 : file.size), 0)
  if (size > MAX_BYTES || (size > LARGE && size > (await stat(path)).size * MAX_RATIO))
    throw new MediaFailure('unsafe', 'The archive unpacks to far more than its size, as bombs do')
  lines = []
  if (listed.length > 0) run(program, ['x', '-y', ...OPTIONS, `-o${OUT}`, ARCHIVE])
  return { program, listed, errors: lines.filter((line) => FAULT.test(line)) }
}

/** What follows the compressed data is no fault of it. */
const FAULT = /^ERROR: (?!There are some data after)/

/** @returns whether it went well: the program throws numbers for some damaged archives */
function run(program: SevenZipModule, command: string[]): boolean {
  try {
    // Its exit code is not in its types (1.2.0, November 2026).
    return (program.callMain(command) as unknown as number) === 0
  } catch (error) {
    if (typeof error !== 'number') throw error
    return false
  }
}

/** From lines `Path = …`, `Size = …`; an empty line ends each file. */
function filesOf(list: string): Listed[] {
  return list.split('\n\n').flatMap((block) => {
    const field = (name: string) => new RegExp(`^${name} = (.*)$`, 'm').exec(block)?.[1]
    const name = field('Path')
    if (name === undefined && (field('Packed Size') ?? field('Size')) === undefined) return []
    if (field('Folder') === '+' || /^[A-Z]*D/.test(field('Attributes') ?? '') || field('Hard Link')) return []
    const isPart = field('Split Before') === '+' || field('Split After') === '+'
    return [{ name: name ?? '', size: Number(field('Size')) || 0, isEncrypted: field('Encrypted') === '+', isPart }]
  })
}

function outputs({ FS }: SevenZipModule): string[] {
  try {
    return FS.readdir(OUT).filter((name) => !/^\.\.?$/.test(name))
  } catch {
    return []
  }
}

function isLink({ FS }: SevenZipModule, name: string): boolean {
  try {
    return FS.isLink(FS.lstat(`${OUT}/${name}`).mode)
  } catch {
    return false
  }
}

/** Such a file is written up to the fault. */
function take({ FS }: SevenZipModule, name: string, errors: readonly string[]): Uint8Array {
  const error = errors.find((line) => line.endsWith(` : ${name}`))
  if (error?.includes('Unsupported Method')) throw otherMethod()
  if (error !== undefined) throw damaged()
  try {
    const path = `${OUT}/${name}`
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

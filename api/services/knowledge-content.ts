// The content of a knowledge source: text, an uploaded file, or a file or folder of the server.
import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import type { AgentInput } from '../../contracts/schemas/agent.ts'
import type { UnreadFile } from '../../db/columns.ts'
import type { FilesTable } from '../../db/schema.ts'
import { headOf } from '../../media/kind/kind-of-file.ts'
import { isDocumentType, mediaTypeOf } from '../../media/kind/media-type.ts'
import type { ApiLimits } from './context.ts'

/** Deepest level of nested folders that is read. */
const MAX_DEPTH = 16

export type Source = NonNullable<AgentInput['knowledge']>[number]

/** A document of a source: a stored file, or bytes not stored yet. */
export type SourceDocument = { name: string; sha256: string } & (
  | { file: FilesTable }
  | { open: () => AsyncIterable<Uint8Array> }
)

export interface Access {
  /** Folders that paths must be below. */
  dirs: readonly string[]
  folders: boolean
  /** Called before a file of the server is accessed; throws when that is not allowed. */
  mayRead: () => void
  file: (id: string) => Promise<FilesTable>
  limits: Pick<ApiLimits, 'upload_bytes' | 'knowledge_files'>
}

/** What a source holds. */
export interface SourceContent {
  documents: SourceDocument[]
  /** Files of a folder that could not be read; what is known of them stays. */
  unread: UnreadFile[]
}

/** What a source holds, with hashes. One file of a folder that cannot be read costs none of the others. @throws MuxiError */
export async function contentOf(source: Source, access: Access): Promise<SourceContent> {
  if ('content' in source) {
    const bytes = Buffer.from(source.content)
    return { documents: [await hashed(`${source.id}.md`, () => Readable.from([bytes]))], unread: [] }
  }
  if ('file_id' in source) {
    const file = await access.file(source.file_id)
    return { documents: [{ name: file.name, sha256: file.sha256, file }], unread: [] }
  }
  access.mayRead()
  const path = await findBelow(source.path, access)
  const documents: SourceDocument[] = []
  const { files, unread } = await listFiles(path, access.limits.knowledge_files)
  for (const file of files) {
    try {
      const document = await readFile(file, access)
      if (document) documents.push(document)
    } catch (error) {
      const reason = file.isNamed ? undefined : reasonOf(error)
      if (reason === undefined) throw error
      unread.push({ name: file.name, reason })
    }
  }
  return { documents, unread }
}

/** @returns undefined when a file of a folder is no document */
async function readFile(
  { name, path, size, isNamed }: ListedFile,
  { limits }: Access,
): Promise<SourceDocument | undefined> {
  if (size > limits.upload_bytes) {
    throw new MuxiError(
      'payload_too_large',
      `Cannot add the knowledge: '${name}' must be at most ${limits.upload_bytes} bytes`,
    )
  }
  // A named file must be a document, otherwise its job fails; a folder may contain other files.
  if (!isNamed && !isDocumentType(mediaTypeOf(await headOf(path), name))) return undefined
  return hashed(name, () => createReadStream(path))
}

/** Why a file cannot be read; undefined for errors that are not the file's. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof MuxiError) return error.message
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return undefined
  return code === 'EACCES' || code === 'EPERM' ? 'The server may not read it' : `It could not be read (${code})`
}

async function hashed(name: string, opened: () => Readable): Promise<SourceDocument> {
  const hash = createHash('sha256')
  for await (const chunk of opened()) hash.update(chunk as Uint8Array)
  return { name, sha256: hash.digest('hex'), open: opened }
}

/** The real path of a file or folder, with symbolic links resolved, if it is below an allowed folder. @throws MuxiError */
async function findBelow(path: string, { dirs, folders }: Access): Promise<string> {
  for (const dir of dirs) {
    const root = await realpath(dir).catch(() => undefined)
    const real = root && (await realpath(isAbsolute(path) ? path : resolve(root, path)).catch(() => undefined))
    if (!real || !real.startsWith(root + sep)) continue
    const found = await stat(real)
    if (found.isFile() || (folders && found.isDirectory())) return real
  }
  throw wrongField('add the knowledge', 'path', `a file${folders ? ' or folder' : ''} below MUXI_KNOWLEDGE_DIRS`)
}

export interface ListedFile {
  /** Within the folder, with slashes. */
  name: string
  path: string
  size: number
  /** Changes when the file changes, becomes readable, or another one takes its place: also one of equal size and time. */
  version: string
  /** Named explicitly, not found in a folder. */
  isNamed: boolean
}

/**
 * A file, or all files below a folder by name, without hidden ones and links that lead out of it.
 * @throws MuxiError when there are more than `most`
 */
export async function listFiles(root: string, most: number): Promise<{ files: ListedFile[]; unread: UnreadFile[] }> {
  const found = await stat(root)
  if (found.isFile())
    return {
      files: [{ name: basename(root), path: root, size: found.size, version: versionOf(found), isNamed: true }],
      unread: [],
    }
  const files: ListedFile[] = []
  const unread: UnreadFile[] = []
  async function look(folder: string, depth: number): Promise<void> {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (depth >= MAX_DEPTH) unread.push({ name: `${name}/`, reason: `Folders are read ${MAX_DEPTH} levels deep` })
        else
          await look(name, depth + 1).catch((error: unknown) => {
            const reason = error instanceof MuxiError ? undefined : reasonOf(error)
            if (reason === undefined) throw error
            unread.push({ name: `${name}/`, reason })
          })
        continue
      }
      // A name of other bytes than UTF-8 is read with this character, and there is no file of that name.
      const isForeign = name.includes('\ufffd')
      const path = await realpath(join(root, name)).catch(() => undefined)
      const file = path?.startsWith(root + sep) ? await stat(path).catch(() => undefined) : undefined
      if (!path && isForeign) unread.push({ name, reason: 'Its name is not UTF-8' })
      if (!path || !file?.isFile()) continue
      if (files.length >= most)
        throw new MuxiError('payload_too_large', `Cannot add the knowledge: a folder may hold ${most} files`)
      files.push({ name, path, size: file.size, version: versionOf(file), isNamed: false })
    }
  }
  await look('', 0)
  return { files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)), unread }
}

function versionOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [ino, size, mtimeMs, ctimeMs].join(' ')
}

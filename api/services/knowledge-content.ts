// The content of a knowledge source: text, an uploaded file, or a file or folder of the server.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import type { AgentInput } from '../../contracts/schemas/agent.ts'
import type { FilesTable } from '../../db/schema.ts'
import { isDocument } from './attachments.ts'
import type { ApiLimits } from './context.ts'

/** Deepest level of nested folders that is read. */
const MAX_DEPTH = 16
/** Bytes of a file needed to detect its format. */
const HEAD_BYTES = 8_192

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

/** The documents of a source, with their hashes. @throws MuxiError */
export async function documentsOf(source: Source, access: Access): Promise<SourceDocument[]> {
  if ('content' in source) {
    const bytes = Buffer.from(source.content)
    return [await hashed(`${source.id}.md`, () => Readable.from([bytes]))]
  }
  if ('file_id' in source) {
    const file = await access.file(source.file_id)
    return [{ name: file.name, sha256: file.sha256, file }]
  }
  access.mayRead()
  const path = await findBelow(source.path, access)
  const documents: SourceDocument[] = []
  for (const { name, path: at, size, isNamed } of await listFiles(path, access.limits.knowledge_files)) {
    if (size > access.limits.upload_bytes) {
      throw new MuxiError(
        'payload_too_large',
        `Cannot add the knowledge: '${name}' must be at most ${access.limits.upload_bytes} bytes`,
      )
    }
    // A named file must be a document, otherwise its job fails; a folder may contain other files.
    if (isNamed || isDocument(await headOf(at), name)) documents.push(await hashed(name, () => createReadStream(at)))
  }
  return documents
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
  mtimeMs: number
  /** Named explicitly, not found in a folder. */
  isNamed: boolean
}

/**
 * A file, or all files below a folder by name, without hidden ones and links that lead out of it.
 * @throws MuxiError when there are more than `most`
 */
export async function listFiles(root: string, most: number): Promise<ListedFile[]> {
  const found = await stat(root)
  if (found.isFile())
    return [{ name: basename(root), path: root, size: found.size, mtimeMs: found.mtimeMs, isNamed: true }]
  const files: ListedFile[] = []
  async function look(folder: string, depth: number): Promise<void> {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) await look(name, depth + 1)
        continue
      }
      const path = await realpath(join(root, name)).catch(() => undefined)
      const file = path?.startsWith(root + sep) ? await stat(path).catch(() => undefined) : undefined
      if (!path || !file?.isFile()) continue
      if (files.length >= most)
        throw new MuxiError('payload_too_large', `Cannot add the knowledge: a folder may hold ${most} files`)
      files.push({ name, path, size: file.size, mtimeMs: file.mtimeMs, isNamed: false })
    }
  }
  await look('', 0)
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

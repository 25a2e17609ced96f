// Blobs in a folder that is shared by all processes.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { ownerFolder } from './blob-key.ts'
import { BlobMissing, type Blobs, type ByteRange, type Received } from './blobs.ts'
import { Incoming } from './incoming.ts'

export class FolderBlobs implements Blobs {
  readonly #folder: string
  readonly #incoming: Incoming

  constructor(folder: string) {
    this.#folder = folder
    // On the same disk, so that a received file only has to be renamed.
    this.#incoming = new Incoming(join(folder, 'incoming'))
  }

  async put(owner: string, bytes: Uint8Array): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const partial = await this.#incoming.partial()
    try {
      await writeFile(partial, bytes, { mode: 0o600 })
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
    await this.#keep(partial, owner, sha256)
    return sha256
  }

  async receive(stream: AsyncIterable<Uint8Array>): Promise<Received> {
    const { path, ...arrived } = await this.#incoming.write(stream)
    return {
      ...arrived,
      keep: (owner) => this.#keep(path, owner, arrived.sha256),
      discard: () => rm(path, { force: true }),
    }
  }

  async get(owner: string, sha256: string, range?: ByteRange): Promise<Buffer> {
    const path = this.#path(owner, sha256)
    if (!range) return found(readFile(path))
    const file = await found(open(path))
    try {
      const bytes = Buffer.alloc(range.end - range.start + 1)
      const { bytesRead } = await file.read(bytes, 0, bytes.length, range.start)
      return bytes.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  async read(owner: string, sha256: string, range?: ByteRange): Promise<Readable> {
    const path = this.#path(owner, sha256)
    await found(access(path))
    return createReadStream(path, range)
  }

  has(owner: string, sha256: string): Promise<boolean> {
    return access(this.#path(owner, sha256)).then(
      () => true,
      () => false,
    )
  }

  async delete(owner: string, sha256: string): Promise<void> {
    await rm(this.#path(owner, sha256), { force: true })
  }

  async deleteAll(owner: string): Promise<void> {
    await rm(join(this.#folder, ownerFolder(owner)), { recursive: true, force: true })
  }

  async withFile<T>(
    owner: string,
    sha256: string,
    work: (path: string) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted()
    const path = this.#path(owner, sha256)
    await found(access(path))
    try {
      return await work(path)
    } catch (error) {
      // Programs that read it say only that they failed.
      await found(access(path))
      throw error
    }
  }

  removeLeftovers(olderThanMs: number, signal: AbortSignal): Promise<number> {
    return this.#incoming.sweep(olderThanMs, signal)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #keep(partial: string, owner: string, sha256: string): Promise<void> {
    const path = this.#path(owner, sha256)
    await mkdir(dirname(path), { recursive: true })
    await rename(partial, path)
  }

  #path(owner: string, sha256: string): string {
    return join(this.#folder, ownerFolder(owner), sha256)
  }
}

/** @throws BlobMissing when there is no such file */
async function found<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new BlobMissing('the blob is not in the folder', { cause: error })
  }
}

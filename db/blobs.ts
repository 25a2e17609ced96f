// Bytes of people's files in a folder, addressed by content within their owner.
import { createHash } from 'node:crypto'
import { mkdir, open, opendir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newId } from '../contracts/ids.ts'

/** Bytes that have arrived and belong to nobody yet. */
export interface Received {
  sha256: string
  size: number
  /** The first bytes, enough to tell what it is. */
  head: Uint8Array
  /** Gives them to their owner. */
  keep(owner: string): Promise<void>
  discard(): Promise<void>
}

const HEAD_BYTES = 8_192
const INCOMING = 'incoming'

export class BlobStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Stores bytes once for an owner. @returns their SHA-256 in hex, by which they are found again */
  async put(owner: string, bytes: Uint8Array): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const path = this.path(owner, sha256)
    await mkdir(dirname(path), { recursive: true })
    const partial = await this.#partial()
    await writeFile(partial, bytes, { mode: 0o600 })
    await rename(partial, path)
    return sha256
  }

  /** Writes a stream to disk as it comes. When it throws, or does not end, nothing is kept. */
  async receive(stream: AsyncIterable<Uint8Array>): Promise<Received> {
    const partial = await this.#partial()
    const hash = createHash('sha256')
    const head: Uint8Array[] = []
    let size = 0
    const file = await open(partial, 'wx', 0o600)
    try {
      for await (const chunk of stream) {
        hash.update(chunk)
        if (size < HEAD_BYTES) head.push(chunk.slice(0, HEAD_BYTES - size))
        size += chunk.byteLength
        for (let at = 0; at < chunk.byteLength;) at += (await file.write(chunk, at)).bytesWritten
      }
      await file.close()
    } catch (error) {
      await file.close().catch(() => undefined)
      await rm(partial, { force: true })
      throw error
    }
    const sha256 = hash.digest('hex')
    return {
      sha256,
      size,
      head: Buffer.concat(head),
      keep: async (owner) => {
        const path = this.path(owner, sha256)
        await mkdir(dirname(path), { recursive: true })
        await rename(partial, path)
      },
      discard: () => rm(partial, { force: true }),
    }
  }

  /** Removes what was arriving when a process died: what has not grown for so long. @returns how many there were */
  async removeLeftovers(olderThanMs: number, signal: AbortSignal): Promise<number> {
    let removed = 0
    const folder = await opendir(join(this.#folder, INCOMING)).catch(() => undefined)
    for await (const { name } of folder ?? []) {
      if (signal.aborted) break
      const path = join(this.#folder, INCOMING, name)
      const found = await stat(path).catch(() => undefined)
      if (!found || found.mtimeMs > Date.now() - olderThanMs) continue
      await rm(path, { force: true })
      removed += 1
    }
    return removed
  }

  /** Where bytes are while they arrive. */
  async #partial(): Promise<string> {
    const folder = join(this.#folder, INCOMING)
    await mkdir(folder, { recursive: true })
    return join(folder, newId('blob'))
  }

  async delete(owner: string, sha256: string): Promise<void> {
    await rm(this.path(owner, sha256), { force: true })
  }

  async get(owner: string, sha256: string): Promise<Buffer> {
    return readFile(this.path(owner, sha256))
  }

  /** Where another process of this machine can read the bytes. */
  path(owner: string, sha256: string): string {
    const ownerFolder = createHash('sha256').update(owner).digest('hex').slice(0, 32)
    return join(this.#folder, ownerFolder, sha256)
  }
}

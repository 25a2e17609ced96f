// Uploads in progress: streamed into a folder; hash, size and first bytes are known at the end.
import { createHash } from 'node:crypto'
import { mkdir, open, opendir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../contracts/ids.ts'

const HEAD_BYTES = 8_192

export interface Arrived {
  path: string
  sha256: string
  size: number
  head: Uint8Array
}

export class Incoming {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A path for a partial upload. */
  async partial(): Promise<string> {
    await mkdir(this.#folder, { recursive: true })
    return join(this.#folder, newId('blob'))
  }

  /** When the stream throws or is not finished, nothing is kept. */
  async write(stream: AsyncIterable<Uint8Array>): Promise<Arrived> {
    const path = await this.partial()
    const hash = createHash('sha256')
    const head: Uint8Array[] = []
    let size = 0
    const file = await open(path, 'wx', 0o600)
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
      await rm(path, { force: true })
      throw error
    }
    return { path, sha256: hash.digest('hex'), size, head: Buffer.concat(head) }
  }

  /** Removes partial uploads that have not grown for that long. @returns how many there were */
  async sweep(olderThanMs: number, signal: AbortSignal): Promise<number> {
    let removed = 0
    const folder = await opendir(this.#folder).catch(() => undefined)
    for await (const { name } of folder ?? []) {
      if (signal.aborted) break
      const path = join(this.#folder, name)
      const found = await stat(path).catch(() => undefined)
      if (!found || found.mtimeMs > Date.now() - olderThanMs) continue
      await rm(path, { force: true })
      removed += 1
    }
    return removed
  }
}

// Bytes of people's files in a folder, addressed by content within their owner.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newId } from '../contracts/ids.ts'

export class BlobStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Stores bytes once for an owner. @returns their SHA-256 in hex, by which they are found again */
  async put(owner: string, bytes: Uint8Array): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const path = this.#path(owner, sha256)
    await mkdir(dirname(path), { recursive: true })
    const partial = `${path}.${newId('blob')}`
    await writeFile(partial, bytes, { mode: 0o600 })
    await rename(partial, path)
    return sha256
  }

  async get(owner: string, sha256: string): Promise<Buffer> {
    return readFile(this.#path(owner, sha256))
  }

  #path(owner: string, sha256: string): string {
    const ownerFolder = createHash('sha256').update(owner).digest('hex').slice(0, 32)
    return join(this.#folder, ownerFolder, sha256)
  }
}

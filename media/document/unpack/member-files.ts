// The files that are taken out of another one: written under numbers, never under their own names, within limits; what is
// left out is named with the reason.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaFailure } from '../../failure.ts'
import type { Member, SkippedMember } from '../members.ts'
import { freeName, oneLine } from './names.ts'

/** Limit of files within one. */
const MAX_MEMBERS = 200
/** Limit of their total bytes. */
export const MAX_BYTES = 1_024 * 2 ** 20

/** Limit of one file, in bytes. */
export const MAX_FILE = 256 * 2 ** 20

export function tooLarge(): MediaFailure {
  return new MediaFailure('too_large', `It is larger than ${MAX_FILE} bytes`)
}

export class MemberFiles {
  readonly members: Member[] = []
  readonly skipped: SkippedMember[] = []
  readonly #folder: string
  readonly #names: Set<string>
  #written = 0
  #files = 0

  /** @param taken names that are not free */
  constructor(folder: string, taken: readonly string[] = []) {
    this.#folder = folder
    this.#names = new Set(taken)
  }

  /** @throws MediaFailure when there are too many, or too large ones */
  async add(name: string, bytes: Uint8Array): Promise<Member> {
    this.#files += 1
    if (this.#files > MAX_MEMBERS)
      throw new MediaFailure('too_large', `The file holds more than ${MAX_MEMBERS} others, which is the limit`)
    this.#written += bytes.length
    if (this.#written > MAX_BYTES)
      throw new MediaFailure('too_large', `The files within are larger than ${MAX_BYTES} bytes together`)
    const path = join(this.#folder, String(this.#files))
    await writeFile(path, bytes)
    const member = { name: this.#free(name), path }
    this.members.push(member)
    return member
  }

  skip(name: string, { reason, message }: Pick<MediaFailure, 'reason' | 'message'>): void {
    this.skipped.push({ name: this.#free(name), reason, message })
  }

  /** Adds a file, or names it as skipped when it cannot be read. */
  async addOrSkip(name: string, read: () => Promise<Uint8Array>): Promise<Member | undefined> {
    let bytes: Uint8Array
    try {
      bytes = await read()
    } catch (error) {
      if (!(error instanceof MediaFailure)) throw error
      this.skip(name, error)
      return undefined
    }
    return this.add(name, bytes)
  }

  #free(name: string): string {
    const free = freeName(oneLine(name) || 'file', this.#names)
    this.#names.add(free)
    return free
  }
}

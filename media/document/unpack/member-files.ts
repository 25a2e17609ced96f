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

/** A limit of all files together, for which the whole is refused. */
class TooMuch extends MediaFailure {}

export class MemberFiles {
  readonly members: Member[] = []
  readonly skipped: SkippedMember[] = []
  readonly folder: string
  readonly #names: Set<string>
  #written = 0
  #files = 0

  /** @param taken names that are not free */
  constructor(folder: string, taken: readonly string[] = []) {
    this.folder = folder
    this.#names = new Set(taken)
  }

  /** @returns the path @throws MediaFailure when there are too many, or too large ones */
  async write(bytes: Uint8Array): Promise<string> {
    this.#files += 1
    if (this.#files > MAX_MEMBERS)
      throw new TooMuch('too_large', `The file holds more than ${MAX_MEMBERS} others, which is the limit`)
    this.#written += bytes.length
    if (this.#written > MAX_BYTES)
      throw new TooMuch('too_large', `The files within are larger than ${MAX_BYTES} bytes together`)
    const path = join(this.folder, String(this.#files))
    await writeFile(path, bytes)
    return path
  }

  add(name: string, path: string): Member {
    const member = { name: this.#free(name), path }
    this.members.push(member)
    return member
  }

  skip(name: string, { reason, message }: Pick<MediaFailure, 'reason' | 'message'>): void {
    this.skipped.push({ name: this.#free(name), reason, message })
  }

  /** Takes a file, or names it as skipped when it cannot be read. */
  async orSkip(name: string, take: () => Promise<void>): Promise<void> {
    try {
      await take()
    } catch (error) {
      if (!(error instanceof MediaFailure) || error instanceof TooMuch) throw error
      this.skip(name, error)
    }
  }

  #free(name: string): string {
    const free = freeName(oneLine(name) || 'file', this.#names)
    this.#names.add(free)
    return free
  }
}

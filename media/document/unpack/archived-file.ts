// What a reader of archives gets and gives.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { MediaFailure } from '../../failure.ts'

export interface Source {
  path: string
  name: string
  /** Where files may be written. */
  folder: string
}

/** A file of an archive, in its order: read before the next one is asked for. */
export interface ArchivedFile {
  /** As it stands in the archive; folders end with a slash. */
  name: string
  /** @throws MediaFailure when this file cannot be read */
  read: () => Promise<Uint8Array>
}

/** For a file between two steps of unpacking. */
export function temporaryPath({ folder }: Source): string {
  return join(folder, randomUUID())
}

/** Of a file within an archive, whose name is reported with it. */
export function damaged(cause?: unknown): MediaFailure {
  return new MediaFailure('damaged', 'It is damaged', { cause })
}

export function encrypted(cause?: unknown): MediaFailure {
  return new MediaFailure('encrypted', 'It is encrypted and opens only with a password', { cause })
}

export function otherMethod(cause?: unknown): MediaFailure {
  return new MediaFailure('not_a_document', 'It is compressed by a method that is not read', { cause })
}

/** Stands for the files behind a fault. */
export function rest(failure = damaged()): ArchivedFile {
  return { name: 'The rest of the archive', read: () => Promise.reject(failure) }
}

// What a reader of archives gets and gives.
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

/** Of a file within an archive, whose name is reported with it. */
export function damaged(cause?: unknown): MediaFailure {
  return new MediaFailure('damaged', 'It is damaged', { cause })
}

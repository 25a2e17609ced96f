// The stored description of a prepared image or recording, or of the files within one, in its job's row.
import type { JobResult } from '../../contracts/events.ts'
import type { JobsTable } from '../../db/schema.ts'
import type { ContainedFiles } from './contained-files.ts'

/** A file that was derived from the upload. */
export interface MadeFile {
  /** `thumbnail`, or for which models: `2048-15728640`. */
  name: string
  file_id: string
  sha256: string
  media_type: string
}

export interface JobMedia {
  /** Merged into the job's result. */
  result: Partial<JobResult>
  /** As extracted; private fields do not leave this row. */
  metadata: Record<string, unknown>
  made: MadeFile[]
  /** The parts of an archive or mail. */
  parts?: ContainedFiles
}

export function readMedia({ media }: Pick<JobsTable, 'media'>): JobMedia | undefined {
  return media === null ? undefined : (JSON.parse(media) as JobMedia)
}

export function findMade(media: JobMedia | undefined, name: string): MadeFile | undefined {
  return media?.made.find((each) => each.name === name)
}

/** The files of a variant: the parts of a long picture, or one. */
export function listMade(media: JobMedia | undefined, name: string): MadeFile[] {
  return media?.made.filter((each) => each.name === name) ?? []
}

/** The name of the variant for a model. */
export function variantName({ max_side, max_bytes }: { max_side: number; max_bytes: number }): string {
  return `${max_side}-${max_bytes}`
}

// The stored description of a prepared image or recording, or of the files within one, in its job's row.
import { jobMedia, type JobMedia, type MadeFile } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { JobsTable } from '../../db/schema.ts'

/** @throws DamagedColumn */
export function readMedia({ id, media }: Pick<JobsTable, 'id' | 'media'>): JobMedia | undefined {
  return parseColumn(jobMedia, media, id)
}

export function findMade(media: JobMedia | undefined, name: string): MadeFile | undefined {
  return media?.made.find((each) => each.name === name)
}

/** The files of a variant: the parts of a long picture, the pages of one with several, or one. */
export function listMade(media: JobMedia | undefined, name: string): MadeFile[] {
  return media?.made.filter((each) => each.name === name) ?? []
}

/** The name of the variant for a model. */
export function variantName({ max_side, max_bytes }: { max_side: number; max_bytes: number }): string {
  return `${max_side}-${max_bytes}`
}

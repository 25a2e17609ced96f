// Pictures as pages of text: each page of a TIFF, one of any other.
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { JobsTable } from '../../db/schema.ts'
import { type ImageLimits, READABLE, withPreparedImage } from '../../media/image/image.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import { unreadPicture, withRecognized } from '../../media/image/recognized-page.ts'
import { headOf } from '../../media/kind/kind-of-file.ts'
import { sniffMedia } from '../../media/kind/sniff-media.ts'
import type { Page } from '../../media/page.ts'
import type { ActivityResources } from '../resources.ts'
import { readOnce, type Scans } from './read-scans.ts'

type Resources = Pick<ActivityResources, 'db' | 'events'> & {
  image_limits: ImageLimits
  ocr: Pick<Ocr, 'recognize'>
}

/** Whether a file is a picture of dots: a drawing in SVG has its text. */
export async function isPicture(path: string): Promise<boolean> {
  const media = sniffMedia(await headOf(path))
  return media?.kind === 'image' && media.type !== 'image/svg+xml'
}

/** The number of pages of a picture. @throws MediaFailure, or the signal's reason */
export function countPages(
  { image_limits: limits }: Pick<Resources, 'image_limits'>,
  owner: string,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  return withPreparedImage(path, [], { signal, limits, owner }, ({ facts }) => Promise.resolve(facts.pages))
}

/** Reads pages of a picture by OCR, as the job's options ask. @throws MediaFailure, or the signal's reason */
export async function readPicture(
  resources: Resources,
  job: JobsTable,
  { path, part }: Scans,
  range: { from: number; to: number },
  signal: AbortSignal,
): Promise<Page[]> {
  const { ocr = 'auto' } = parseColumn(jobOptions, job.options, job.id)
  const pages: Page[] = []
  for (let page = range.from; page <= range.to; page += 1) {
    if (ocr === 'never') {
      pages.push(unreadPicture(page))
      continue
    }
    const options = { signal, limits: resources.image_limits, owner: job.user_id, page: page - 1 }
    const read = await withPreparedImage(path, [READABLE], options, ({ files }) =>
      readOnce(resources, job, { path: files[0]!.path, part, page: page - 1, isImage: true }, signal),
    )
    pages.push(withRecognized({ page, text: '' }, read))
  }
  return pages
}

// Pages that are pictures of text: each is read once, whatever happens to the worker meanwhile.
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { startOcr, storeOcr } from '../../db/queries/ocr.ts'
import type { JobsTable } from '../../db/schema.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import { withoutRecognized, withRecognized, withUnreadPicture } from '../../media/image/recognized-page.ts'
import type { Page, Recognized } from '../../media/page.ts'
import type { ActivityResources } from '../resources.ts'

/** A page that was started this often without finishing crashes its worker. */
const MAX_ATTEMPTS = 5

type Resources = Pick<ActivityResources, 'db' | 'events'> & { ocr: Pick<Ocr, 'recognize'> }

export interface Scans {
  path: string
  /** In an archive or a mail: the name of the file within; otherwise empty. */
  part: string
}

/** Inserts the OCR text of scanned pages and images, as the job's options ask. @throws MediaFailure, or the signal's reason */
export async function readScans(
  resources: Resources,
  job: JobsTable,
  { path, part }: Scans,
  pages: Page[],
  signal: AbortSignal,
): Promise<Page[]> {
  const { ocr = 'auto' } = parseColumn(jobOptions, job.options, job.id)
  if (ocr === 'never') return pages.map(withoutRecognized)
  const wanted = pages.filter(({ scanned }) => scanned || ocr === 'always')
  // The first failure cancels the others.
  const failing = new AbortController()
  const together = AbortSignal.any([signal, failing.signal])
  const read = new Map<number, Recognized>()
  const failed = new Set<number>()
  const reading = wanted.map(async ({ page, text }) => {
    try {
      read.set(page, await readOnce(resources, job, { path, page, part }, together))
    } catch (error) {
      // A picture that cannot be read, or takes too much, does not cost the text beside it, nor the other pages.
      if (error instanceof MediaFailure && (text.trim() !== '' || part !== '' || (job.pages ?? 1) > 1)) failed.add(page)
      else {
        failing.abort(error)
        throw error
      }
    }
  })
  await Promise.allSettled(reading)
  signal.throwIfAborted()
  failing.signal.throwIfAborted()
  return pages.map((page) => {
    const found = read.get(page.page)
    return found ? withRecognized(page, found) : failed.has(page.page) ? withUnreadPicture(page) : page
  })
}

/** Reads a page of a PDF, or an image that is one page, unless that is done already. */
export async function readOnce(
  { db, events, ocr }: Resources,
  job: JobsTable,
  { path, page, part, isImage = false }: Scans & { page: number; isImage?: boolean },
  signal: AbortSignal,
): Promise<Recognized> {
  const { languages = ['eng'] } = parseColumn(jobOptions, job.options, job.id)
  const ref = { job_id: job.id, part, page }
  const options = { languages, signal, owner: job.user_id }
  const source = isImage ? { path } : { path, page }
  const { known, attempts } = await db.transaction().execute((tx) => startOcr(tx, ref))
  if (known !== undefined) return known
  if (attempts > MAX_ATTEMPTS)
    throw new MediaFailure('damaged', `Page ${page} cannot be read: its reader did not survive it`)
  const read = await ocr.recognize(source, options)
  const added = await db.transaction().execute(async (tx) => {
    await storeOcr(tx, ref, read)
    return part === '' && !isImage ? advance(tx, job, 'parsing', `page ${page}`) : []
  })
  events.publish(job.id, added)
  return read
}

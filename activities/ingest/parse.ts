// Parsing, on the task queue for CPU-bound work: detects a document's format, and reads its pages one batch at a time.
import type { BatchRef, JobRef } from '../../contracts/job.ts'
import { mergeNotices, type Notice } from '../../contracts/notices.ts'
import { jobOptions, type JobMedia } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { isParsed, planBatches, startParse, storeParsed } from '../../db/queries/job-batches.ts'
import { setMedia } from '../../db/queries/jobs.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { ImageLimits } from '../../media/image/image.ts'
import type { JobsTable } from '../../db/schema.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import { checkLanguages } from '../../media/image/ocr-languages.ts'
import { inspectDocument, parsePages } from '../../media/document/parse-document.ts'
import type { ParseLimits } from '../../media/document/parse-limits.ts'
import type { ActivityResources } from '../resources.ts'
import { ingestionStep } from './ingestion-step.ts'
import { readMedia } from './media-rows.ts'
import { type PlannedFiles, planParts, readParts } from './contained-files.ts'
import { countPages, isPicture, readPicture } from './read-picture.ts'
import { readPictures } from './read-pictures.ts'
import { readScans } from './read-scans.ts'

/** A batch that was started this often without finishing crashes its worker: it fails. */
const MAX_PARSES = 10

interface Inspected {
  pages: number
  /** All pages of a format that is read as a whole. */
  whole?: object[]
  parts?: PlannedFiles
}

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops'> & {
  parse_limits: ParseLimits
  image_limits: ImageLimits
  ocr: Pick<Ocr, 'recognize'>
}

export function parseActivities(resources: Resources) {
  const { db, events, blobs, parse_limits: limits } = resources

  async function inspect(path: string, job: JobsTable, signal: AbortSignal): Promise<Inspected> {
    const { name, user_id } = job
    const parts = await planParts(resources, { path, name, user_id }, signal)
    if (!parts && (await isPicture(path))) return { pages: await countPages(resources, user_id, path, signal) }
    if (!parts) {
      const found = await inspectDocument(path, { signal, limits, name })
      if (!found.whole) return found
      return { ...found, whole: await readPictures(resources, job, { path, part: '' }, found.whole, signal) }
    }
    return { pages: parts.parts.reduce((sum, part) => sum + part.pages, 0), parts }
  }

  return {
    /** Counts the pages and divides them into batches; formats that are read as a whole are read here, once. */
    async inspectFile(ref: JobRef): Promise<{ pages: number; batches: number; parsed: boolean }> {
      return ingestionStep(resources, ref, { name: 'inspect', input: {} }, async (job, signal) => {
        checkLanguages(parseColumn(jobOptions, job.options, job.id).languages ?? [])
        // A run before this one has done it, when the job is tried again.
        const { pages, whole, parts }: Inspected =
          job.pages !== null
            ? { pages: job.pages }
            : await blobs.withFile(job.user_id, job.sha256, (path) => inspect(path, job, signal), signal)
        const { batches, parsed, added } = await db.transaction().execute(async (tx) => {
          if (parts) await setMedia(tx, job.id, mediaOf(parts))
          const batches = await planBatches(tx, job.id, pages, whole)
          return { batches, parsed: await isParsed(tx, job.id), added: await advance(tx, job, 'parsing', '') }
        })
        events.publish(job.id, added)
        return { pages, batches, parsed }
      })
    },

    /** Parses a batch, unless that is done already. */
    async parseBatch({ batch, ...ref }: BatchRef): Promise<{ batch: number; parsed: boolean }> {
      return ingestionStep(resources, ref, { name: 'parse', input: { batch } }, async (job, signal) => {
        const begun = await db.transaction().execute((tx) => startParse(tx, job.id, batch))
        if (!begun) return { batch, parsed: false }
        if (begun.parses > MAX_PARSES)
          throw new MediaFailure('damaged', 'The document cannot be read: its parser did not survive it')
        const range = { from: begun.from_page, to: begun.to_page }
        const pages = await blobs.withFile(
          job.user_id,
          job.sha256,
          async (path) => {
            const { parts } = readMedia(job) ?? {}
            if (parts) return readParts(resources, job, path, parts, range, signal)
            if (await isPicture(path)) return readPicture(resources, job, { path, part: '' }, range, signal)
            const parsed = await parsePages(path, range, { signal, limits })
            return readScans(resources, job, { path, part: '' }, parsed, signal)
          },
          signal,
        )
        const added = await db.transaction().execute(async (tx) => {
          await storeParsed(tx, job.id, batch, pages)
          return advance(tx, job, 'parsing', String(batch))
        })
        events.publish(job.id, added)
        return { batch, parsed: true }
      })
    },
  }
}

/** The job's description of the files within, and of those that are left out. */
function mediaOf({ parts, skipped: closed }: PlannedFiles): JobMedia {
  const members = parts.map(({ name, from, pages }) => ({ name, from_page: from, pages }))
  const skipped = closed.map(({ name, message }) => ({ name, reason: message }))
  const notices = mergeNotices(
    closed.map(({ name, reason, message }): Notice => ({
      code: reason === 'not_a_document' || reason === 'empty' ? 'left_out' : 'unreadable',
      message: `A file within is not read: ${message}`,
      count: 1,
      places: [name],
    })),
  )
  return {
    result: skipped.length > 0 ? { skipped, notices } : {},
    metadata: { members },
    made: [],
    parts: { parts, skipped },
  }
}

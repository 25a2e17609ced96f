// Images, on the task queue for CPU-bound work: resized for models, and read by OCR.
import { createReadStream } from 'node:fs'
import type { JobRef } from '../../contracts/job.ts'
import type { Notice } from '../../contracts/notices.ts'
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { insertFile } from '../../db/queries/files.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { findBatch, planBatches, storeParsed } from '../../db/queries/job-batches.ts'
import { setMedia } from '../../db/queries/jobs.ts'
import type { JobsTable } from '../../db/schema.ts'
import {
  withPreparedImage,
  type ImageFacts,
  type ImageFile,
  type ImageLimits,
  type ImageVariant,
  type PreparedImage,
} from '../../media/image/image.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import { checkLanguages } from '../../media/image/ocr-languages.ts'
import type { Page } from '../../media/page.ts'
import { ingestionStep } from './ingestion-step.ts'
import { modelsOf, visionModelsOf } from './job-models.ts'
import { readPicture } from './read-picture.ts'
import { readMedia } from './media-rows.ts'
import type { JobMedia, MadeFile } from '../../db/job-columns.ts'
import { variantsFor } from './picture-variants.ts'
import type { ActivityResources } from '../resources.ts'

const THUMBNAIL: ImageVariant = { name: 'thumbnail', max_side: 256, max_bytes: 64 * 1_024, format: 'webp' }

/** Most pages of a picture: they are one batch; and of those most that models are shown. */
const MAX_PAGES = 50
const MAX_SHOWN = 6

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops' | 'models'> & {
  image_limits: ImageLimits
  ocr: Pick<Ocr, 'recognize'>
}

export function pictureActivities(resources: Resources) {
  const { db, events, blobs, image_limits: limits } = resources

  /** Stores a variant as a file of its own, which is deleted with its original. */
  async function keep(job: JobsTable, { name, path, media_type, size }: ImageFile): Promise<MadeFile> {
    const received = await blobs.receive(createReadStream(path))
    await received.keep(job.user_id)
    const { id } = await insertFile(db, {
      user_id: job.user_id,
      key_id: job.key_id,
      name: `${job.name} (${name === THUMBNAIL.name ? name : 'prepared'})`,
      type: media_type,
      size,
      sha256: received.sha256,
      made_of: job.file_id,
    })
    return { name, file_id: id, sha256: received.sha256, media_type }
  }

  return {
    /**
     * Makes the variants that the agent's models accept, unless that is done already. @returns whether the image is to be
     * described, and the number of models that may be asked
     */
    async prepareImage(ref: JobRef): Promise<{ describe: boolean; models?: number }> {
      return ingestionStep(resources, ref, { name: 'prepare', input: {} }, async (job, signal) => {
        const chain = await modelsOf(db, resources.models, job)
        const seeing = chain.filter(({ known }) => known.pictures !== undefined)
        const { describe: wanted = job.turn_id === null } = parseColumn(jobOptions, job.options, job.id)
        const describe = wanted && seeing.length > 0
        const answer = { describe, models: seeing.length }
        if (job.media !== null) return answer
        const variants = variantsFor(chain)
        const options = { signal, limits, owner: job.user_id }
        const keepAll = async ({ facts, files }: PreparedImage) => {
          const made: MadeFile[] = []
          for (const file of files) made.push(await keep(job, file))
          return { facts, made }
        }
        const prepareAll = async (path: string) => {
          const { facts, made } = await withPreparedImage(path, [...variants, THUMBNAIL], options, keepAll)
          const thumbnail = made.pop()!
          for (let page = 1; page < Math.min(facts.pages, MAX_SHOWN); page += 1)
            made.push(...(await withPreparedImage(path, variants, { ...options, page }, keepAll)).made)
          const notices = noticesOf(facts)
          const media: JobMedia = {
            metadata: { ...facts },
            result: {
              image_file_id: made[0]!.file_id,
              thumbnail_file_id: thumbnail.file_id,
              ...(notices.length > 0 && { notices }),
            },
            made: [...made, thumbnail],
          }
          return { media, pages: facts.pages }
        }
        const { media, pages } = await blobs.withFile(job.user_id, job.sha256, prepareAll, signal)
        const added = await db.transaction().execute(async (tx) => {
          await setMedia(tx, job.id, media)
          await planBatches(tx, job.id, Math.min(pages, MAX_PAGES))
          return advance(tx, job, 'preparing', '')
        })
        events.publish(job.id, added)
        return answer
      })
    },

    /** Reads the text in the image by OCR, unless a model gets the image in the turn, and stores each of its pages. */
    async readImage(ref: JobRef): Promise<{ characters: number }> {
      return ingestionStep(resources, ref, { name: 'read', input: {} }, async (job, signal) => {
        const stored = await findBatch(db, job.id, 1)
        if (stored?.pages) return { characters: stored.pages.reduce((sum, page) => sum + page.text.length, 0) }
        const { ocr = 'auto', languages = [] } = parseColumn(jobOptions, job.options, job.id)
        checkLanguages(languages)
        const { description = '' } = readMedia(job)?.result ?? {}
        const isSeen = job.turn_id !== null && (await visionModelsOf(db, resources.models, job)).length > 0
        // Models are not shown every page of many.
        const to = job.pages ?? 1
        const readAll = (path: string) => readPicture(resources, job, { path, part: '' }, { from: 1, to }, signal)
        const [first, ...others] =
          ocr === 'auto' && isSeen && to === 1
            ? [{ page: 1, text: '' }]
            : await blobs.withFile(job.user_id, job.sha256, readAll, signal)
        const text = [description, first!.text.trim()].filter((each) => each !== '').join('\n\n')
        const pages: Page[] = [{ ...first!, text }, ...others]
        const added = await db.transaction().execute(async (tx) => {
          await storeParsed(tx, job.id, 1, pages)
          return advance(tx, job, 'reading', '')
        })
        events.publish(job.id, added)
        return { characters: pages.reduce((sum, page) => sum + page.text.length, 0) }
      })
    },
  }
}

/** What the result leaves out of a picture with many pages. */
function noticesOf({ pages }: ImageFacts): Notice[] {
  const beyond = (most: number, message: string): Notice[] => {
    return pages > most ? [{ code: 'left_out', message, count: pages - most }] : []
  }
  return [
    ...beyond(MAX_SHOWN, `Pages of the picture beyond the first ${MAX_SHOWN}, which models are not shown`),
    ...beyond(MAX_PAGES, `Pages of the picture beyond the first ${MAX_PAGES}`),
  ]
}

// The pictures within documents of Office and OpenDocument: each is read once by OCR, and its text added to its first page.
import { mapAll } from '../../contracts/map-all.ts'
import { Slots } from '../../contracts/slots.ts'
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { JobsTable } from '../../db/schema.ts'
import { type Member, withMembers } from '../../media/document/members.ts'
import type { ParseLimits } from '../../media/document/parse-limits.ts'
import { MediaFailure } from '../../media/failure.ts'
import { type ImageLimits, READABLE, withPreparedImage } from '../../media/image/image.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import { withPictureText, withUnreadPictures } from '../../media/image/recognized-page.ts'
import { headOf } from '../../media/kind/kind-of-file.ts'
import { sniffMedia } from '../../media/kind/sniff-media.ts'
import type { Page, Recognized } from '../../media/page.ts'
import type { ActivityResources } from '../resources.ts'
import { readOnce, type Scans } from './read-scans.ts'

/** Most pictures of a document that are read. */
const MAX_PICTURES = 100
/** Pictures that are prepared at once. */
const AT_ONCE = 2
/** Smaller ones are signs, without words: pixels of the shorter and of the longer side. */
const SMALLEST = { short: 12, long: 40 }

type Resources = Pick<ActivityResources, 'db' | 'events'> & {
  parse_limits: ParseLimits
  image_limits: ImageLimits
  ocr: Pick<Ocr, 'recognize'>
}

/** Adds the text of pictures to their pages, as the job's options ask. @throws the signal's reason */
export async function readPictures(
  resources: Resources,
  job: JobsTable,
  { path, part }: Scans,
  pages: Page[],
  signal: AbortSignal,
): Promise<Page[]> {
  const wanted = [...new Set(pages.flatMap(({ pictures = [] }) => pictures))]
  if (wanted.length === 0) return pages
  const { ocr = 'auto' } = parseColumn(jobOptions, job.options, job.id)
  const parts = ocr === 'never' ? [] : wanted.slice(0, MAX_PICTURES)
  const options = { signal, limits: resources.parse_limits, name: job.name, parts }
  const read = new Map<string, Recognized>()
  if (parts.length > 0)
    await withMembers(path, options, async ({ members }) => {
      const slots = new Slots(AT_ONCE)
      await mapAll(members, async (member) => {
        const give = await slots.take(signal)
        const recognized = await readOne(resources, job, member, part, signal).finally(give)
        if (recognized) read.set(member.name, recognized)
      })
    }).catch((error: unknown) => {
      // The document has its text: the pictures are named as not read.
      if (!(error instanceof MediaFailure)) throw error
    })
  return withTexts(pages, read)
}

/** Undefined for a picture that cannot be opened. */
async function readOne(
  resources: Resources,
  job: JobsTable,
  { path, name }: Member,
  part: string,
  signal: AbortSignal,
): Promise<Recognized | undefined> {
  if (sniffMedia(await headOf(path))?.kind !== 'image') return undefined
  const options = { signal, limits: resources.image_limits, owner: job.user_id }
  try {
    return await withPreparedImage(path, [READABLE], options, async ({ facts, files }) => {
      const [short, long] = [Math.min(facts.width, facts.height), Math.max(facts.width, facts.height)]
      if (short < SMALLEST.short || long < SMALLEST.long) return { text: '', confidence: 0, turned: 0, paragraphs: [] }
      const picture = [part, name].filter((each) => each !== '').join('/')
      return readOnce(resources, job, { path: files[0]!.path, part: picture, page: 0, isImage: true }, signal)
    })
  } catch (error) {
    // The rest of the document is read.
    if (error instanceof MediaFailure) return undefined
    throw error
  }
}

/** A picture that is on several pages is read on the first. */
function withTexts(pages: readonly Page[], read: ReadonlyMap<string, Recognized>): Page[] {
  const done = new Set<string>()
  return pages.map(({ pictures = [], ...page }) => {
    let unread = 0
    let text: Page = page
    for (const picture of pictures) {
      const recognized = read.get(picture)
      if (!recognized) unread += 1
      else if (!done.has(picture)) text = withPictureText(text, recognized)
      done.add(picture)
    }
    return withUnreadPictures(text, unread)
  })
}

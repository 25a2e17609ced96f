// The files within an archive, or a mail and its attachments: each is a part with its own pages, stored in the row of pages
// of the whole.
import type { JobsTable } from '../../db/schema.ts'
import { headOf, sniffFile } from '../../media/kind/kind-of-file.ts'
import { type Member, type SkippedMember, withMembers } from '../../media/document/members.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { ImageLimits } from '../../media/image/image.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import type { Page } from '../../media/page.ts'
import { inspectDocument, parsePages, readDocument } from '../../media/document/parse-document.ts'
import type { ContainedFile, ContainedFiles } from '../../db/job-columns.ts'
import type { ParseLimits } from '../../media/document/parse-limits.ts'
import { isMailKind } from '../../media/document/readers/parse-mail.ts'
import { isArchiveKind } from '../../media/kind/document-types.ts'
import { sniffMedia } from '../../media/kind/sniff-media.ts'
import { countPages, readPicture } from './read-picture.ts'
import { readPictures } from './read-pictures.ts'
import { readScans } from './read-scans.ts'
import type { ActivityResources } from '../resources.ts'

export interface PlannedFiles {
  parts: ContainedFile[]
  skipped: SkippedMember[]
}

type Resources = Pick<ActivityResources, 'db' | 'events'> & {
  parse_limits: ParseLimits
  image_limits: ImageLimits
  ocr: Pick<Ocr, 'recognize'>
}

/**
 * Inspects every file within another one. Unreadable files are skipped.
 * @returns undefined for a file without parts: a document in an archive format, a mail without attachments
 * @throws MediaFailure, or the signal's reason
 */
export async function planParts(
  { parse_limits: limits, image_limits }: Pick<Resources, 'parse_limits' | 'image_limits'>,
  { path, name, user_id }: { path: string; name: string; user_id: string },
  signal: AbortSignal,
): Promise<PlannedFiles | undefined> {
  const kind = await sniffFile(path, name)
  if (!isArchiveKind(kind) && !isMailKind(kind)) return undefined
  return withMembers(path, { signal, limits, name }, async ({ members, skipped: closed }) => {
    if (members.length === 1 && members[0]!.path === path && closed.length === 0) return undefined
    const parts: ContainedFile[] = []
    const skipped = [...closed]
    let from = 1
    for (const member of members) {
      try {
        const found = await inspectMember(member, { signal, limits, name: member.name, image_limits, user_id })
        parts.push({ ...found, name: member.name, from })
        from += found.pages
      } catch (error) {
        if (!(error instanceof MediaFailure)) throw error
        skipped.push({ name: member.name, reason: error.reason, message: error.message })
      }
      if (from - 1 > limits.max_pages)
        throw new MediaFailure('too_many_pages', `The files within have more than ${limits.max_pages} pages together`)
    }
    if (parts.length === 0) throw nothingWithin(skipped)
    return { parts, skipped }
  })
}

function nothingWithin(skipped: readonly SkippedMember[]): MediaFailure {
  const [first] = skipped
  if (!first) return new MediaFailure('empty', 'The archive is empty')
  const reason = skipped.every((each) => each.reason === first.reason) ? first.reason : 'empty'
  const message = `None of the ${skipped.length} files within can be read. ${first.name}: ${first.message}`
  return new MediaFailure(reason, message)
}

interface MemberOptions {
  signal: AbortSignal
  limits: ParseLimits
  name: string
  image_limits: ImageLimits
  user_id: string
}

async function inspectMember(
  { path }: Member,
  { image_limits, user_id, ...options }: MemberOptions,
): Promise<Pick<ContainedFile, 'kind' | 'pages'>> {
  const head = await headOf(path)
  const media = sniffMedia(head)
  if (media?.kind === 'image')
    return { kind: 'image', pages: await countPages({ image_limits }, user_id, path, options.signal) }
  if (media)
    throw new MediaFailure(
      'not_a_document',
      'A recording within an archive or a mail is not transcribed: ingest it by itself',
    )
  const { kind, pages } = await inspectDocument(path, options)
  return { kind: kind === 'pdf' ? 'pdf' : 'other', pages }
}

/** Pages of a range across parts, each with the name of its part. @throws MediaFailure, or the signal's reason */
export async function readParts(
  resources: Resources,
  job: JobsTable,
  path: string,
  { parts }: ContainedFiles,
  range: { from: number; to: number },
  signal: AbortSignal,
): Promise<Page[]> {
  const { parse_limits: limits } = resources
  return withMembers(path, { signal, limits, name: job.name }, async ({ members }) => {
    const pages: Page[] = []
    for (const part of parts) {
      const [from, to] = [Math.max(1, range.from - part.from + 1), Math.min(part.pages, range.to - part.from + 1)]
      if (from > to) continue
      const within = members.find(({ name }) => name === part.name)?.path
      if (within === undefined) throw new MediaFailure('damaged', 'The file holds no longer what it held')
      const read = await readPart(resources, job, { ...part, path: within }, { from, to }, signal)
      for (const page of read) {
        // The body of a mail has the name of the document.
        const own = within === path ? {} : labelsOf(part.name, page)
        pages.push({ ...page, ...own, page: page.page + part.from - 1 })
      }
    }
    return pages
  })
}

/** The label and the places of notices begin with the name of the file. */
function labelsOf(name: string, { label, notices }: Page): Pick<Page, 'label' | 'notices'> {
  const within = (place: string) => `${name}, ${place}`
  return {
    label: label === undefined ? name : within(label),
    ...(notices && {
      notices: notices.map((notice) => ({ ...notice, ...(notice.places && { places: notice.places.map(within) }) })),
    }),
  }
}

async function readPart(
  resources: Resources,
  job: JobsTable,
  { path, name, kind }: ContainedFile & { path: string },
  range: { from: number; to: number },
  signal: AbortSignal,
): Promise<Page[]> {
  const { parse_limits: limits } = resources
  if (kind === 'image') return readPicture(resources, job, { path, part: name }, range, signal)
  const options = { signal, limits, name }
  if (kind === 'pdf')
    return readScans(resources, job, { path, part: name }, await parsePages(path, range, options), signal)
  const { pages } = await readDocument(path, options)
  return readPictures(resources, job, { path, part: name }, pages.slice(range.from - 1, range.to), signal)
}

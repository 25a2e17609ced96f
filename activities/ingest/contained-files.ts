// The files within an archive, or a mail and its attachments: each is a part with its own pages, stored in the row of pages
// of the whole.
import type { JobsTable } from '../../db/schema.ts'
import { headOf } from '../../media/kind/kind-of-file.ts'
import { type Member, withMembers } from '../../media/document/members.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { ImageLimits } from '../../media/image/image.ts'
import type { Ocr } from '../../media/image/ocr.ts'
import type { Page } from '../../media/page.ts'
import { inspectDocument, parsePages, readDocument } from '../../media/document/parse-document.ts'
import type { ContainedFile, ContainedFiles } from '../../db/columns.ts'
import type { ParseLimits } from '../../media/document/parse-limits.ts'
import { sniffMedia } from '../../media/kind/sniff-media.ts'
import { sniffDocument } from '../../media/kind/sniff-document.ts'
import { countPages, readPicture } from './read-picture.ts'
import { readScans } from './read-scans.ts'
import type { ActivityResources } from '../resources.ts'

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
): Promise<ContainedFiles | undefined> {
  const kind = sniffDocument(await headOf(path), name)
  if (kind !== 'zip' && kind !== 'eml') return undefined
  return withMembers(path, { signal, limits, name }, async (members) => {
    if (members.length === 1 && members[0]!.path === path) return undefined
    const parts: ContainedFile[] = []
    const skipped: ContainedFiles['skipped'] = []
    let from = 1
    for (const member of members) {
      try {
        const found = await inspectMember(member, { signal, limits, name: member.name, image_limits, user_id })
        parts.push({ ...found, name: member.name, from })
        from += found.pages
      } catch (error) {
        if (!(error instanceof MediaFailure)) throw error
        skipped.push({ name: member.name, reason: error.message })
      }
      if (from - 1 > limits.max_pages)
        throw new MediaFailure('too_many_pages', `The files within have more than ${limits.max_pages} pages together`)
    }
    if (parts.length === 0) throw new MediaFailure('empty', nothingWithin(skipped))
    return { parts, skipped }
  })
}

function nothingWithin(skipped: ContainedFiles['skipped']): string {
  const [first] = skipped
  return first
    ? `None of the ${skipped.length} files within can be read. ${first.name}: ${first.reason}`
    : 'The archive is empty'
}

interface MemberOptions {
  signal: AbortSignal
  limits: ParseLimits
  name: string
  image_limits: ImageLimits
  user_id: string
}

async function inspectMember(
  { path, name }: Member,
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
  if (sniffDocument(head, name) === 'zip')
    throw new MediaFailure(
      'not_a_document',
      'An archive within an archive or a mail is not opened: ingest it by itself',
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
  return withMembers(path, { signal, limits, name: job.name }, async (members) => {
    const pages: Page[] = []
    for (const part of parts) {
      const [from, to] = [Math.max(1, range.from - part.from + 1), Math.min(part.pages, range.to - part.from + 1)]
      if (from > to) continue
      const within = members.find(({ name }) => name === part.name)?.path
      if (within === undefined) throw new MediaFailure('damaged', 'The file holds no longer what it held')
      const read = await readPart(resources, job, { ...part, path: within }, { from, to }, signal)
      for (const page of read) {
        // The body of a mail has the name of the document.
        const label = within === path ? {} : { label: labelOf(part.name, page.label) }
        pages.push({ ...page, page: page.page + part.from - 1, ...label })
      }
    }
    return pages
  })
}

function labelOf(name: string, label: string | undefined): string {
  return label === undefined ? name : `${name}, ${label}`
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
  return (await readDocument(path, options)).pages.slice(range.from - 1, range.to)
}

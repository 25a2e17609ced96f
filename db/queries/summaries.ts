// A summary in rows: the parts of a text at level 1, what sums up some of the level before at every further one, a single part at the last.
import { batchPages } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, JobSummariesTable, Tx } from '../schema.ts'
import { readText } from './job-batches.ts'

/** Target length of a part, in characters, which grows with the text, and the largest number of parts. */
const PART_CHARACTERS = 12_000
const MOST_PARTS = 1_000
/** Longest part, in characters: models handle longer ones badly. */
const MOST_CHARACTERS = 48_000
/** Summaries that are combined into one. */
const AT_ONCE = 8
/** Separator of pages. */
const BETWEEN = '\n\n'

type SummaryPart = Pick<JobSummariesTable, 'from_batch' | 'to_batch' | 'from_char' | 'to_char'>

/**
 * Divides the extracted text of a job into parts, once. @returns the number of parts at each level; undefined: the text is
 * too long
 */
export async function planSummary(db: Db, jobId: string): Promise<number[] | undefined> {
  const planned = await countParts(db, jobId)
  if (planned.length > 0) return planned
  let characters = 0
  for await (const pages of readText(db, jobId)) characters += textOf(pages).length
  const length = Math.max(PART_CHARACTERS, Math.ceil(characters / MOST_PARTS))
  if (length > MOST_CHARACTERS) return undefined
  const parts = await divide(db, jobId, length)
  const levels = [parts.length]
  while (levels.at(-1)! > 1) levels.push(Math.ceil(levels.at(-1)! / AT_ONCE))
  if (parts.length === 0) return []
  const none = { from_batch: null, to_batch: null, from_char: null, to_char: null }
  const rows = levels.flatMap((count, index) =>
    Array.from({ length: count }, (_, part) => ({
      job_id: jobId,
      level: index + 1,
      part: part + 1,
      ...(index === 0 ? parts[part]! : none),
      text: null,
      chunks: null,
    })),
  )
  await db.transaction().execute(async (tx) => {
    for (let from = 0; from < rows.length; from += 100)
      await tx
        .insertInto('job_summaries')
        .values(rows.slice(from, from + 100))
        .onConflict((oc) => oc.doNothing())
        .execute()
  })
  return levels
}

async function countParts(db: Db, jobId: string): Promise<number[]> {
  const counted = await db
    .selectFrom('job_summaries')
    .select((eb) => ['level', eb.fn.countAll().as('parts')])
    .where('job_id', '=', jobId)
    .groupBy('level')
    .orderBy('level')
    .execute()
  return counted.map(({ parts }) => Number(parts))
}

/** Cuts at the end of a paragraph, a line or a word. A part may span several batches, and a batch may have several parts. */
async function divide(db: Db, jobId: string, length: number): Promise<SummaryPart[]> {
  const parts: SummaryPart[] = []
  let open: { from_batch: number; from_char: number; text: string } | undefined
  let batch = 0
  for await (const pages of readText(db, jobId)) {
    batch += 1
    const text = textOf(pages)
    if (text === '') continue
    open = open ? { ...open, text: open.text + BETWEEN + text } : { from_batch: batch, from_char: 0, text }
    while (open.text.length - open.from_char > length * 1.25) {
      const to_char = cut(open.text, open.from_char + length)
      parts.push({ from_batch: open.from_batch, to_batch: batch, from_char: open.from_char, to_char })
      // The remainder starts within this batch.
      const before: number = open.text.length - text.length
      const from_char: number = to_char - before
      if (from_char >= 0) open = { from_batch: batch, from_char, text }
      else open = { ...open, from_char: to_char }
    }
    if (open.text.length - open.from_char > length * 0.75) {
      const { from_batch, from_char, text: whole } = open
      parts.push({ from_batch, to_batch: batch, from_char, to_char: whole.length })
      open = undefined
    }
  }
  if (open && open.text.slice(open.from_char).trim() !== '') {
    const { from_batch, from_char, text } = open
    parts.push({ from_batch, to_batch: batch, from_char, to_char: text.length })
  }
  return parts
}

function cut(text: string, near: number): number {
  for (const separator of [BETWEEN, '\n', ' ']) {
    const at = text.lastIndexOf(separator, near)
    if (at > near - PART_CHARACTERS / 4) return at + separator.length
  }
  return near
}

function textOf(pages: readonly { text: string }[]): string {
  return pages
    .map(({ text }) => text)
    .filter((text) => text.trim() !== '')
    .join(BETWEEN)
}

export function findSummary(db: Db | Tx, jobId: string, level: number, part: number) {
  return db
    .selectFrom('job_summaries')
    .selectAll()
    .where('job_id', '=', jobId)
    .where('level', '=', level)
    .where('part', '=', part)
    .executeTakeFirst()
}

/** The input of a part: its range of the text, or the summaries of the previous level. */
export async function readSource(db: Db, { job_id, level, part, ...at }: JobSummariesTable): Promise<string> {
  if (level > 1) {
    const below = await db
      .selectFrom('job_summaries')
      .select('text')
      .where('job_id', '=', job_id)
      .where('level', '=', level - 1)
      .where('part', '>', (part - 1) * AT_ONCE)
      .where('part', '<=', part * AT_ONCE)
      .orderBy('part')
      .execute()
    return below.map(({ text }) => text ?? '').join(BETWEEN)
  }
  const batches = await db
    .selectFrom('job_batches')
    .select(['batch', 'pages'])
    .where('job_id', '=', job_id)
    .where('batch', '>=', at.from_batch)
    .where('batch', '<=', at.to_batch)
    .orderBy('batch')
    .execute()
  return batches
    .map(({ batch, pages }) => textOf(parseColumn(batchPages, pages, `${job_id}/${batch}`) ?? []))
    .filter((text) => text !== '')
    .join(BETWEEN)
    .slice(at.from_char ?? 0, at.to_char ?? undefined)
}

/** The first text of a part is kept: it is not billed again. */
export async function storeSummary(tx: Tx, jobId: string, level: number, part: number, text: string): Promise<void> {
  await tx
    .updateTable('job_summaries')
    .set({ text })
    .where('job_id', '=', jobId)
    .where('level', '=', level)
    .where('part', '=', part)
    .where('text', 'is', null)
    .execute()
}

/** Records the number of indexed chunks of a summary. */
export async function setSummaryChunks(tx: Tx, { job_id, level, part }: JobSummariesTable, chunks: number) {
  await tx
    .updateTable('job_summaries')
    .set({ chunks })
    .where('job_id', '=', job_id)
    .where('level', '=', level)
    .where('part', '=', part)
    .execute()
}

/** The summary of the whole; undefined while there is none. */
export async function findWholeSummary(db: Db | Tx, jobId: string): Promise<JobSummariesTable | undefined> {
  const last = await db
    .selectFrom('job_summaries')
    .selectAll()
    .where('job_id', '=', jobId)
    .orderBy('level', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.text == null ? undefined : last
}

/** The number of parts of a summary, and of those that are written. */
export async function countSummaries(tx: Tx, jobId: string): Promise<{ done: number; total: number }> {
  const { done, total } = await tx
    .selectFrom('job_summaries')
    .select((eb) => [eb.fn.count('text').as('done'), eb.fn.countAll().as('total')])
    .where('job_id', '=', jobId)
    .executeTakeFirstOrThrow()
  return { done: Number(done), total: Number(total) }
}

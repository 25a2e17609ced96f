// OCR results per page, so that no page is read twice.
import { ocrRead, type StoredOcr } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'

export interface OcrPageRef {
  job_id: string
  part: string
  page: number
}

/** Counts an OCR attempt of a page. @returns its stored result, if any, and the number of attempts */
export async function startOcr(tx: Tx, ref: OcrPageRef): Promise<{ known: StoredOcr | undefined; attempts: number }> {
  const row = await tx
    .insertInto('ocr_pages')
    .values({ ...ref, attempts: 1, read: null })
    .onConflict((oc) =>
      oc.columns(['job_id', 'part', 'page']).doUpdateSet((eb) => ({
        attempts: eb
          .case()
          .when('ocr_pages.read', 'is', null)
          .then(eb('ocr_pages.attempts', '+', 1))
          .else(eb.ref('ocr_pages.attempts'))
          .end(),
      })),
    )
    .returning(['read', 'attempts'])
    .executeTakeFirstOrThrow()
  const name = [ref.job_id, ref.part, ref.page].filter((each) => each !== '').join('/')
  return { known: parseColumn(ocrRead, row.read, name), attempts: row.attempts }
}

export async function storeOcr(db: Db | Tx, { job_id, part, page }: OcrPageRef, read: StoredOcr): Promise<void> {
  await db
    .updateTable('ocr_pages')
    .set({ read: JSON.stringify(read) })
    .where('job_id', '=', job_id)
    .where('part', '=', part)
    .where('page', '=', page)
    .execute()
}

/** Pages of a document that are read while their batch is unfinished. */
export async function countRead(db: Db | Tx, jobId: string): Promise<number> {
  const { count } = await db
    .selectFrom('ocr_pages')
    .innerJoin('job_batches', (join) =>
      join
        .onRef('job_batches.job_id', '=', 'ocr_pages.job_id')
        .onRef('job_batches.from_page', '<=', 'ocr_pages.page')
        .onRef('job_batches.to_page', '>=', 'ocr_pages.page'),
    )
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('ocr_pages.job_id', '=', jobId)
    .where('ocr_pages.part', '=', '')
    .where('ocr_pages.read', 'is not', null)
    .where('job_batches.pages', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(count)
}

// Scanned pages, each read once: the OCR result, and the number of attempts.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('ocr_pages')
    .addColumn('job_id', 'text', (column) => column.notNull())
    .addColumn('part', 'text', (column) => column.notNull())
    .addColumn('page', 'integer', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('read', 'text')
    .addPrimaryKeyConstraint('ocr_pages_pk', ['job_id', 'part', 'page'])
    .execute()
}

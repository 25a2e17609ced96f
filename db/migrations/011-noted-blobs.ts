// Blobs that may have no row: stored before their row, or outliving their last one; swept after a time.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('noted_blobs')
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('noted_at', 'text', (column) => column.notNull())
    .addColumn('removing_at', 'text')
    .addPrimaryKeyConstraint('noted_blobs_pk', ['owner', 'sha256'])
    .execute()
  await db.schema.createIndex('noted_blobs_by_time').on('noted_blobs').column('noted_at').execute()
}

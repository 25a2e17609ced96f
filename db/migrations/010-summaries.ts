// Summaries of documents, one row per part; and a cache of billed vectors, by the hash of their text.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('job_summaries')
    .addColumn('job_id', 'text', (c) => c.notNull())
    .addColumn('level', 'integer', (c) => c.notNull())
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('from_batch', 'integer')
    .addColumn('to_batch', 'integer')
    .addColumn('from_char', 'integer')
    .addColumn('to_char', 'integer')
    .addColumn('text', 'text')
    .addColumn('chunks', 'integer')
    .addPrimaryKeyConstraint('job_summaries_pk', ['job_id', 'level', 'part'])
    .execute()

  await db.schema
    .createTable('embeddings')
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('vector', 'text', (c) => c.notNull())
    .addColumn('used_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('embeddings_pk', ['model', 'hash'])
    .execute()
  await db.schema.createIndex('embeddings_by_use').on('embeddings').column('used_at').execute()

  await db.schema.createIndex('jobs_by_content').on('jobs').columns(['user_id', 'sha256']).execute()
}

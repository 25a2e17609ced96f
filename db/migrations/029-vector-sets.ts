// The sets of vectors: what searches compare with, and what a job that embeds everything again fills meanwhile.
import { sql, type Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('collections')
    .addColumn('vectors', 'text', (c) => c.notNull().defaultTo(''))
    .execute()
  await db.schema
    .alterTable('collections')
    .addColumn('serves', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('collections').addColumn('closed_until', 'text').execute()
  await sql`create unique index collections_one_serves on collections (serves) where serves = 1`.execute(db)
  await db.schema
    .createTable('vector_sets')
    .addColumn('name', 'text', (c) => c.notNull().primaryKey())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('dimension', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('job_id', 'text')
    .addColumn('last_chunk', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('upto', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('done', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('refused', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  await sql`update collections set vectors = 'chunk_vectors_' || dimension`.execute(db)
  // Searches found the documents of one model only: of the one that the newest passage was embedded with.
  await sql`update collections set serves = 1 where id = coalesce(
    (select collection_id from chunks order by id desc limit 1),
    (select id from collections order by created_at desc, id limit 1))`.execute(db)
  await sql`insert into vector_sets (name, model, dimension, state, created_at)
    select vectors, max(case when serves = 1 then model else '' end), max(dimension),
      case when max(serves) = 1 then 'serving' else 'old' end, min(created_at) from collections group by vectors`.execute(
    db,
  )
}

// How far the limits of requests are used up: one row for each limited key, user or address.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('rate_limits')
    .addColumn('name', 'text', (c) => c.notNull().primaryKey())
    .addColumn('full_at', 'double precision', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('rate_limits_full_at').on('rate_limits').column('full_at').execute()
}

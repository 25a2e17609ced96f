// Tickets stand for one secret of a key, so that they end with it. None lives longer than a minute: the old ones are dropped.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('tickets').execute()
  await db.schema
    .createTable('tickets')
    .addColumn('hash', 'text', (c) => c.notNull().primaryKey())
    .addColumn('key_hash', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .execute()
}

// A ticket refers to one secret of a key, so that it expires with it. Tickets live at most a minute: the old ones are
// dropped.
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

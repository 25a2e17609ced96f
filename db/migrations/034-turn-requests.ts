// Turns whose message brings its whole conversation, as requests to /v1 do: the earlier messages, the instructions and the tools of the
// caller. The conversation of such a turn is hidden in itself.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('turn_requests')
    .addColumn('turn_id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('request', 'text', (c) => c.notNull())
    .execute()
}

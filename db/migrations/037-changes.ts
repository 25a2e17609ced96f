// Recent changes, for the live feed.
import { sql, SqliteAdapter, type Kysely } from 'kysely'
import { notedChanges } from '../change-triggers.ts'
import { differencesOf } from '../dialect.ts'

export async function up(db: Kysely<any>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter
  const stamp = sqlite
    ? sql`(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`
    : sql`to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  await db.schema
    .createTable('changes')
    // Never reused: readers go on after the last one they know.
    .addColumn('id', sqlite ? 'integer' : 'bigserial', (c) =>
      sqlite ? c.notNull().primaryKey().autoIncrement() : c.notNull().primaryKey(),
    )
    .addColumn('topic', 'text', (c) => c.notNull())
    .addColumn('item_id', 'text', (c) => c.notNull())
    .addColumn('op', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull().defaultTo(stamp))
    .execute()
  for (const trigger of notedChanges()) await differencesOf(db).addRowTrigger(db, trigger)
}

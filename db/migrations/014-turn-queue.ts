// The queue of a conversation in rows: at most one active turn, enforced by an index, and which release of the turn engine the rows belong to.
import { sql, type Kysely } from 'kysely'
import { differencesOf } from '../dialect.ts'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('turns').addColumn('activated_at', 'text').execute()
  await db.schema.alterTable('turns').addColumn('first_claim', 'text').execute()
  // Turns of 0.1.0 that have not finished stay inactive until the upgrade has handled them: workers/upgrade.ts.
  await db
    .updateTable('turns')
    .set((eb) => ({ activated_at: eb.ref('created_at') }))
    .where('finished_at', 'is not', null)
    .execute()
  await db.schema
    .createIndex('turns_one_active')
    .unique()
    .on('turns')
    .column('conversation_id')
    .where(sql<boolean>`activated_at is not null and finished_at is null`)
    .execute()
  await db.schema
    .createIndex('turns_waiting')
    .on('turns')
    .columns(['conversation_id', 'id'])
    .where(sql<boolean>`activated_at is null and finished_at is null`)
    .execute()
  // Limits count active turns. A predicate without parameters, so that SQLite's planner can use the index.
  for (const column of ['user_id', 'key_id'] as const) {
    await db.schema
      .createIndex(`turns_active_by_${column.slice(0, -3)}`)
      .on('turns')
      .column(column)
      .where(sql<boolean>`activated_at is not null and finished_at is null`)
      .execute()
  }
  for (const name of ['turns_unfinished', 'turns_unfinished_by_user', 'turns_unfinished_by_key'])
    await db.schema.dropIndex(name).execute()
  // Derived from the messages.
  await db.schema.alterTable('conversations').dropColumn('last_message_at').execute()

  await db.schema
    .createTable('engine_state')
    .addColumn('name', 'text', (c) => c.notNull().primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
  const { n } = await db
    .selectFrom('turns')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow()
  await db
    .insertInto('engine_state')
    .values({ name: 'turn_engine', value: Number(n) > 0 ? '0.1.0' : '0.2.0' })
    .execute()
  await db.schema
    .alterTable('event_segments')
    .addColumn('ended', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await differencesOf(db).countStreams(db)
}

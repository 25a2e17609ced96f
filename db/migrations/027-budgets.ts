// Budgets per key and user, and what each has spent on a day, counted by triggers on the usage rows.
import { sql, type Kysely } from 'kysely'
import { differencesOf } from '../dialect.ts'
import { countedUsage } from '../usage-counters.ts'

export async function up(db: Kysely<any>): Promise<void> {
  for (const column of ['key_id', 'user_id', 'agent_id'])
    await db.schema.alterTable('model_usage').addColumn(column, 'text').execute()
  await db.schema
    .alterTable('model_usage')
    .addColumn('reserved_tokens', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('model_usage').addColumn('reserved_cost_usd', 'double precision').execute()
  // Earlier rows get their owners, for the views. What is counted for budgets begins with this migration.
  for (const owner of ['turns', 'jobs'])
    await sql`
      update model_usage set (key_id, user_id, agent_id) =
        (select key_id, user_id, agent_id from ${sql.table(owner)} as owner where owner.id = model_usage.stream_id)
      where stream_id in (select id from ${sql.table(owner)})`.execute(db)
  await db.schema.createIndex('model_usage_by_time').on('model_usage').column('created_at').execute()
  await db.schema.createIndex('model_usage_by_user').on('model_usage').columns(['user_id', 'created_at']).execute()
  await db.schema
    .createTable('budgets')
    .addColumn('owner_kind', 'text', (c) => c.notNull())
    .addColumn('owner_id', 'text', (c) => c.notNull())
    .addColumn('daily_tokens', 'bigint')
    .addColumn('daily_cost_usd', 'double precision')
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('budgets_key', ['owner_kind', 'owner_id'])
    .execute()
  await db.schema
    .createTable('usage_days')
    .addColumn('owner_kind', 'text', (c) => c.notNull())
    .addColumn('owner_id', 'text', (c) => c.notNull())
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('requests', 'bigint', (c) => c.notNull())
    .addColumn('input_tokens', 'bigint', (c) => c.notNull())
    .addColumn('output_tokens', 'bigint', (c) => c.notNull())
    .addColumn('cost_usd', 'double precision', (c) => c.notNull())
    .addColumn('reserved_tokens', 'bigint', (c) => c.notNull())
    .addColumn('reserved_cost_usd', 'double precision', (c) => c.notNull())
    .addPrimaryKeyConstraint('usage_days_key', ['owner_kind', 'owner_id', 'day'])
    .execute()
  await db.schema.createIndex('usage_days_by_day').on('usage_days').column('day').execute()
  for (const trigger of countedUsage()) await differencesOf(db).addRowTrigger(db, trigger)
}

// Agents that ask and hand over to others: a call names the other agent; a turn that was asked for by a call knows which; its
// conversation is hidden in that of its root; its approvals are shown at the root.
import { sql, type Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  for (const column of ['agent_call', 'to_agent', 'child_turn_id'] as const)
    await db.schema.alterTable('tool_calls').addColumn(column, 'text').execute()
  for (const column of ['parent_turn_id', 'parent_call_id', 'root_turn_id', 'root_call_id'] as const)
    await db.schema.alterTable('turns').addColumn(column, 'text').execute()
  await db.schema
    .alterTable('turns')
    .addColumn('depth', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createIndex('turns_children')
    .on('turns')
    .column('parent_turn_id')
    .where(sql<boolean>`parent_turn_id is not null`)
    .execute()
  await db.schema.alterTable('conversations').addColumn('hidden_in', 'text').execute()
  await db.schema
    .createIndex('conversations_hidden')
    .on('conversations')
    .column('hidden_in')
    .where(sql<boolean>`hidden_in is not null`)
    .execute()
  for (const column of ['root_turn_id', 'root_call_id'] as const)
    await db.schema.alterTable('approvals').addColumn(column, 'text').execute()
  await db.schema
    .createIndex('approvals_of_root')
    .on('approvals')
    .column('root_turn_id')
    .where(sql<boolean>`root_turn_id is not null`)
    .execute()
}

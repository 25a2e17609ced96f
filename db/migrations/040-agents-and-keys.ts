// Memories are found by their agent, because they go when it is deleted. Keys have limits of their own, and a time of last use.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createIndex('memories_by_agent').on('memories').columns(['agent_id', 'user_id']).execute()
  await db.schema.alterTable('api_keys').addColumn('rate_limits', 'text').execute()
  await db.schema.alterTable('api_keys').addColumn('last_used_at', 'text').execute()
}

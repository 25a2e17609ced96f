// Memories are found by their agent, because they go when it is deleted.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createIndex('memories_by_agent').on('memories').columns(['agent_id', 'user_id']).execute()
}

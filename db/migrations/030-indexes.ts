// Indexes for what turns read (tests/e2e/query-plans.test.ts finds what is missing), and one that no statement used.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createIndex('routing_decisions_by_agents').on('routing_decisions').column('agents').execute()
  // Documents are found by their scope when a user is forgotten, and by an agent never.
  await db.schema.dropIndex('documents_by_agent').execute()
  await db.schema.createIndex('documents_by_scope').on('documents').column('scope').execute()
}

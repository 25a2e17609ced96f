// What is kept of a model's reply besides text and calls: reasoning and metadata, cached and reasoning tokens, the finish reason of the turn.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('model_steps').addColumn('parts', 'text').execute()
  await db.schema.alterTable('model_usage').addColumn('cached_tokens', 'integer').execute()
  await db.schema.alterTable('model_usage').addColumn('reasoning_tokens', 'integer').execute()
  await db.schema.alterTable('turns').addColumn('finish_reason', 'text').execute()
}

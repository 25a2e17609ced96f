// The source of each version of an agent: addresses given over the API are checked, those of the operator's files are not.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('agent_versions')
    .addColumn('source', 'text', (column) => column.notNull().defaultTo('api'))
    .execute()
  // Older versions of an agent may have been created over the API under the same id.
  await db
    .updateTable('agent_versions')
    .set({ source: 'file' })
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('agents')
          .select('agents.id')
          .whereRef('agents.id', '=', 'agent_versions.agent_id')
          .whereRef('agents.version', '=', 'agent_versions.version')
          .where('agents.source', '=', 'file'),
      ),
    )
    .execute()
}

// Agents that were deleted over the API and still have turns that run, knowledge or memories.
import type { Db, Tx } from '../schema.ts'

/** Their ids, to be selected from further. */
export const deletedAgents = (db: Db | Tx) =>
  db
    .selectFrom('agents')
    .select('id')
    .where('source', '=', 'api')
    .where('deleted_at', 'is not', null)
    .where((eb) =>
      eb.or([
        ...(['knowledge_sources', 'memories', 'memory_outbox'] as const).map((table) =>
          eb.exists(eb.selectFrom(table).select('agent_id').whereRef(`${table}.agent_id`, '=', 'agents.id')),
        ),
        // Each has an index of its own.
        ...(['is not', 'is'] as const).map((activated) =>
          eb(
            'agents.id',
            'in',
            eb
              .selectFrom('turns')
              .select('agent_id')
              .where('activated_at', activated, null)
              .where('finished_at', 'is', null),
          ),
        ),
      ]),
    )

/** Their ids. */
export async function listDeletedAgents(db: Db): Promise<string[]> {
  const rows = await deletedAgents(db).execute()
  return rows.map(({ id }) => id)
}

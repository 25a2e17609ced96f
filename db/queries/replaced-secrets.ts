// Credentials of replaced versions of agents: deleted when no turn can use them any more.
import type { Db } from '../schema.ts'
import { AGENT_SECRETS, secretOwner } from './agents.ts'
import { deleteSecrets } from './secrets.ts'

/** @param before versions that were replaced later keep theirs: memories are written after the end of a turn */
export async function forgetReplacedSecrets(db: Db, before: string): Promise<void> {
  const names = await db.selectFrom('secrets').select('name').where('name', 'like', `${AGENT_SECRETS}%`).execute()
  const owners = new Set(names.map(({ name }) => name.split('/', 3).join('/')))
  const replaced = await db
    .selectFrom('agent_versions as old')
    .innerJoin('agent_versions as next', (join) =>
      join.onRef('next.agent_id', '=', 'old.agent_id').on((is) => is('next.version', '=', is('old.version', '+', 1))),
    )
    .select(['old.agent_id', 'old.version'])
    .where('next.created_at', '<', before)
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('turns')
            .select('id')
            .where('finished_at', 'is', null)
            .whereRef('turns.agent_id', '=', 'old.agent_id')
            .whereRef('turns.agent_version', '=', 'old.version'),
        ),
      ),
    )
    .execute()
  for (const { agent_id, version } of replaced) {
    const owner = secretOwner(agent_id, version)
    if (owners.has(owner)) await db.transaction().execute((tx) => deleteSecrets(tx, owner))
  }
}

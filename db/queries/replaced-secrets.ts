// Credentials of replaced versions of agents: deleted when no turn can use them any more.
import type { Db } from '../schema.ts'
import { deleteSecrets } from './secrets.ts'

const OWNER = /^agent\/([^/]+)\/(\d+)\//

/** @param before versions that were replaced later keep theirs: memories are written after the end of a turn */
export async function forgetReplacedSecrets(db: Db, before: string): Promise<void> {
  const current = new Map(
    (await db.selectFrom('agents').select(['id', 'version']).execute()).map(({ id, version }) => [id, version]),
  )
  const names = await db
    .selectFrom('secrets')
    .select('name')
    .where('name', '>=', 'agent/')
    .where('name', '<', 'agent0')
    .execute()
  const owners = new Map<string, { id: string; version: number }>()
  for (const { name } of names) {
    const [owner = '', id = '', version] = OWNER.exec(name) ?? []
    if (Number(version) < (current.get(id) ?? 0)) owners.set(owner, { id, version: Number(version) })
  }
  for (const [owner, { id, version }] of owners) {
    const replaced = await db
      .selectFrom('agent_versions')
      .select('version')
      .where('agent_id', '=', id)
      .where('version', '=', version + 1)
      .where('created_at', '<', before)
      .execute()
    const running = await db
      .selectFrom('turns')
      .select('id')
      .where('finished_at', 'is', null)
      .where('agent_id', '=', id)
      .where('agent_version', '=', version)
      .limit(1)
      .execute()
    if (replaced.length > 0 && running.length === 0)
      await db.transaction().execute((tx) => deleteSecrets(tx, owner.slice(0, -1)))
  }
}

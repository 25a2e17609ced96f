// Which worker owns an MCP server, and the leases of the workers.
import type { McpServerRef } from '../../contracts/mcp.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import type { SecretBox } from '../secret-box.ts'
import type { Db, Tx } from '../schema.ts'
import { getSecrets } from './secrets.ts'
import { type ServerRow, secretOwner, configOf } from './mcp-servers.ts'

export interface Hold extends McpServerRef {
  epoch: number
  revision: number
  /** Whether it is configured in an agent file. */
  from_file: boolean
  server: McpServer
  secrets: Record<string, string>
  wanted_at: string | null
  listed_by: string | null
}

/** Makes a worker the owner of a server, replacing the previous one. @returns undefined when it was removed */
export async function takeServer(tx: Tx, box: SecretBox, ref: McpServerRef, worker: string): Promise<Hold | undefined> {
  const taken = await tx
    .updateTable('mcp_servers')
    .set((eb) => ({
      worker,
      epoch: eb('epoch', '+', 1),
      state: 'connecting' as const,
      pid: null,
      session_id: null,
      connected_at: null,
      active_requests: 0,
    }))
    .where('agent_id', '=', ref.agent_id)
    .where('name', '=', ref.name)
    .returning(['epoch', 'revision', 'origin', 'config', 'wanted_at', 'listed_by'])
    .executeTakeFirst()
  if (!taken) return undefined
  const { config, origin, ...rest } = taken
  const agent = await tx.selectFrom('agents').select('source').where('id', '=', ref.agent_id).executeTakeFirst()
  return {
    ...ref,
    ...rest,
    from_file: origin === 'config' && agent?.source === 'file',
    server: configOf({ ...ref, config }),
    secrets: await getSecrets(tx, box, secretOwner(ref)),
  }
}

export type ServerChange = Partial<
  Pick<
    ServerRow,
    | 'worker'
    | 'state'
    | 'pid'
    | 'session_id'
    | 'connected_at'
    | 'last_activity_at'
    | 'active_requests'
    | 'last_error'
    | 'stderr_tail'
    | 'wanted_at'
  >
>

/** Records the state of a server, unless another worker owns it. A connection after the first one counts as a reconnect. */
export async function changeServer(
  db: Db,
  hold: Pick<Hold, 'agent_id' | 'name' | 'epoch'>,
  change: ServerChange,
  again = false,
) {
  await db
    .updateTable('mcp_servers')
    .set((eb) => ({ ...change, ...(again && { reconnects: eb('reconnects', '+', 1) }) }))
    .where('agent_id', '=', hold.agent_id)
    .where('name', '=', hold.name)
    .where('epoch', '=', hold.epoch)
    .execute()
}

/** The servers that a worker owns according to the rows. */
export function listHeldBy(db: Db, worker: string) {
  return db
    .selectFrom('mcp_servers')
    .select(['agent_id', 'name', 'epoch', 'revision', 'wanted_at'])
    .where('worker', '=', worker)
    .execute()
}

/** Renews the lease of a worker. */
export async function renewWorker(db: Db, id: string): Promise<void> {
  const seen_at = new Date().toISOString()
  await db
    .insertInto('mcp_workers')
    .values({ id, seen_at })
    .onConflict((oc) => oc.column('id').doUpdateSet({ seen_at }))
    .execute()
}

/** The other workers, including those known only from rows of servers, with their last heartbeat. */
export async function listOtherWorkers(db: Db, id: string): Promise<{ id: string; seen_at: string }[]> {
  const known = await db.selectFrom('mcp_workers').selectAll().where('id', '!=', id).execute()
  const holders = await db
    .selectFrom('mcp_servers')
    .select('worker')
    .distinct()
    .where('worker', 'is not', null)
    .where('worker', '!=', id)
    .execute()
  const silent = holders.filter(({ worker }) => !known.some((each) => each.id === worker))
  return [...known, ...silent.map(({ worker }) => ({ id: worker ?? '', seen_at: '' }))]
}

/** Deletes a worker. @returns the servers that it owned, which now have no owner */
export async function removeWorker(tx: Tx, id: string): Promise<McpServerRef[]> {
  await tx.deleteFrom('mcp_workers').where('id', '=', id).execute()
  return tx
    .updateTable('mcp_servers')
    .set({ worker: null, state: 'waiting', pid: null, session_id: null, connected_at: null, active_requests: 0 })
    .where('worker', '=', id)
    .returning(['agent_id', 'name'])
    .execute()
}

// What MCP servers have granted: client registrations, and tokens of users, refreshed by one caller at a time. Secrets are encrypted.
import type { McpServerRef } from '../../contracts/mcp.ts'
import type { SecretBox } from '../secret-box.ts'
import type { Db, Tx } from '../schema.ts'

/** Whose tokens: of a user, or (`user_id` is '') of the connection that lists a server's tools. */
export interface GrantRef extends McpServerRef {
  user_id: string
}

export const clientName = ({ agent_id, name }: McpServerRef) => `mcp-client/${agent_id}/${name}`
export const grantName = ({ agent_id, name, user_id }: GrantRef) => `mcp-grant/${agent_id}/${name}/${user_id}`

/** The OAuth client registration at a server's authorization server. */
export async function findClient(db: Db, box: SecretBox, ref: McpServerRef): Promise<unknown> {
  const row = await db
    .selectFrom('mcp_clients')
    .select('sealed')
    .where('agent_id', '=', ref.agent_id)
    .where('server', '=', ref.name)
    .executeTakeFirst()
  return row && (JSON.parse(box.open(clientName(ref), row.sealed)) as unknown)
}

export async function putClient(db: Db | Tx, box: SecretBox, ref: McpServerRef, client: unknown): Promise<void> {
  const sealed = box.seal(clientName(ref), JSON.stringify(client))
  await db
    .insertInto('mcp_clients')
    .values({ agent_id: ref.agent_id, server: ref.name, sealed })
    .onConflict((oc) => oc.columns(['agent_id', 'server']).doUpdateSet({ sealed }))
    .execute()
}

export async function findGrant(
  db: Db,
  box: SecretBox,
  ref: GrantRef,
): Promise<{ grant: unknown; version: number } | undefined> {
  const row = await db
    .selectFrom('mcp_grants')
    .select(['sealed', 'version'])
    .where('agent_id', '=', ref.agent_id)
    .where('server', '=', ref.name)
    .where('user_id', '=', ref.user_id)
    .executeTakeFirst()
  return row && { grant: JSON.parse(box.open(grantName(ref), row.sealed)) as unknown, version: row.version }
}

/** Stores the grant of a sign-in; a concurrent refresh of the previous grant is discarded. */
export async function putGrant(tx: Tx, box: SecretBox, ref: GrantRef, grant: unknown): Promise<void> {
  const row = {
    sealed: box.seal(grantName(ref), JSON.stringify(grant)),
    renewer: null,
    renewer_until: null,
    updated_at: new Date().toISOString(),
  }
  await tx
    .insertInto('mcp_grants')
    .values({ agent_id: ref.agent_id, server: ref.name, user_id: ref.user_id, version: 1, ...row })
    .onConflict((oc) =>
      oc
        .columns(['agent_id', 'server', 'user_id'])
        .doUpdateSet((eb) => ({ ...row, version: eb('mcp_grants.version', '+', 1) })),
    )
    .execute()
}

/** Leases the refresh of a grant to `renewer`, for a limited time. @returns whether it got the lease */
export async function claimRenewal(
  db: Db,
  ref: GrantRef,
  version: number,
  renewer: string,
  ms: number,
): Promise<boolean> {
  const now = Date.now()
  const { numUpdatedRows } = await db
    .updateTable('mcp_grants')
    .set({ renewer, renewer_until: new Date(now + ms).toISOString() })
    .where('agent_id', '=', ref.agent_id)
    .where('server', '=', ref.name)
    .where('user_id', '=', ref.user_id)
    .where('version', '=', version)
    .where((eb) => eb.or([eb('renewer', 'is', null), eb('renewer_until', '<', new Date(now).toISOString())]))
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** Ends a refresh: with a new grant, `over` when the grant is no longer valid, or undefined when it may be retried. */
export async function endRenewal(
  db: Db,
  box: SecretBox,
  ref: GrantRef,
  renewer: string,
  end: { grant: unknown } | 'over' | undefined,
): Promise<void> {
  const mine = { agent_id: ref.agent_id, server: ref.name, user_id: ref.user_id, renewer }
  if (end === 'over') {
    await db
      .deleteFrom('mcp_grants')
      .where((eb) => eb.and(mine))
      .execute()
    return
  }
  await db
    .updateTable('mcp_grants')
    .set((eb) => ({
      renewer: null,
      renewer_until: null,
      ...(end && {
        sealed: box.seal(grantName(ref), JSON.stringify(end.grant)),
        version: eb('version', '+', 1),
        updated_at: new Date().toISOString(),
      }),
    }))
    .where((eb) => eb.and(mine))
    .execute()
}

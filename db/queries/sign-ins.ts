// Sign-ins to MCP servers: requested, visited and completed; what they grant is in grants.ts. Secrets are encrypted.
import { createHash, randomBytes } from 'node:crypto'
import type { McpServerRef } from '../../contracts/mcp.ts'
import { signInAttempt, type Attempt } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { SecretBox } from '../secret-box.ts'
import type { Db, McpSignInsTable, Tx } from '../schema.ts'
import { clientName, grantName, type GrantRef } from './grants.ts'

export type { Attempt }

const signInName = (id: string) => `mcp-sign-in/${id}`
const attemptName = (id: string) => `mcp-sign-in-attempt/${id}`

/** The subject of a sign-in: a call of a user, or (all '') a server's connection. */
export interface SignInSubject extends GrantRef {
  turn_id: string
  call_id: string
}

/** Requests a sign-in; idempotent for the same subject. @returns its id, and the number of requests */
export async function askForSignIn(
  db: Db,
  box: SecretBox,
  { agent_id, name, user_id, turn_id, call_id }: SignInSubject,
  plan: unknown,
): Promise<{ id: string; asked: number }> {
  const subject = { agent_id, server: name, user_id, turn_id, call_id }
  return db.transaction().execute(async (tx) => {
    const fresh = { ...subject, id: randomBytes(24).toString('base64url'), created_at: new Date().toISOString() }
    await tx
      .insertInto('mcp_sign_ins')
      .values({ ...fresh, asked: 0, sealed: '', status: 'done' })
      .onConflict((oc) => oc.doNothing())
      .execute()
    const { id, asked } = await tx
      .updateTable('mcp_sign_ins')
      .set((eb) => ({
        asked: eb
          .case()
          .when('status', '=', 'done')
          .then(eb('asked', '+', 1))
          .else(eb.ref('asked'))
          .end(),
        status: 'waiting' as const,
      }))
      .where((eb) => eb.and(subject))
      .returning(['id', 'asked'])
      .executeTakeFirstOrThrow()
    await tx
      .updateTable('mcp_sign_ins')
      .set({ sealed: box.seal(signInName(id), JSON.stringify(plan)) })
      .where('id', '=', id)
      .execute()
    return { id, asked }
  })
}

export type SignIn = Omit<McpSignInsTable, 'sealed' | 'attempt' | 'attempt_until' | 'state_hash'> & { plan: unknown }

function toSignIn(
  box: SecretBox,
  { sealed, attempt: _, attempt_until: __, state_hash: ___, ...row }: McpSignInsTable,
): SignIn {
  return { ...row, plan: JSON.parse(box.open(signInName(row.id), sealed)) as unknown }
}

export async function findSignIn(db: Db, box: SecretBox, id: string): Promise<SignIn | undefined> {
  const row = await db.selectFrom('mcp_sign_ins').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toSignIn(box, row)
}

/** The operator's pending sign-in for a server's connection, which lists its tools. */
export async function findConnectionSignIn(db: Db, { agent_id, name }: McpServerRef): Promise<string | undefined> {
  const row = await db
    .selectFrom('mcp_sign_ins')
    .select('id')
    .where((eb) => eb.and({ agent_id, server: name, user_id: '', turn_id: '', call_id: '', status: 'waiting' }))
    .executeTakeFirst()
  return row?.id
}

/** Begins a visit and ends a running one. @returns whether the sign-in is still waited for */
export async function beginAttempt(
  db: Db,
  box: SecretBox,
  id: string,
  state: string,
  attempt: Attempt,
  ms: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('mcp_sign_ins')
    .set({
      state_hash: hashOf(state),
      attempt: box.seal(attemptName(id), JSON.stringify(attempt)),
      attempt_until: new Date(Date.now() + ms).toISOString(),
    })
    .where('id', '=', id)
    .where('status', '=', 'waiting')
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** Redeems the `state` of an attempt: valid once, for a limited time. */
export async function redeemState(
  db: Db,
  box: SecretBox,
  state: string,
): Promise<{ signIn: SignIn; attempt: Attempt } | undefined> {
  return db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('mcp_sign_ins')
      .selectAll()
      .where('state_hash', '=', hashOf(state))
      .where('status', '=', 'waiting')
      .where('attempt_until', '>', new Date().toISOString())
      .executeTakeFirst()
    if (!row || row.attempt === null) return undefined
    const { numUpdatedRows } = await tx
      .updateTable('mcp_sign_ins')
      .set({ state_hash: null, attempt: null, attempt_until: null })
      .where('id', '=', row.id)
      .where('state_hash', '=', row.state_hash)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows !== 1n) return undefined
    return {
      signIn: toSignIn(box, row),
      attempt: parseColumn(signInAttempt, box.open(attemptName(row.id), row.attempt), row.id),
    }
  })
}

/** Completes every pending sign-in of this user at this server. @returns the calls that waited for it */
export async function endSignIns(
  tx: Tx,
  { agent_id, name, user_id }: GrantRef,
): Promise<Pick<McpSignInsTable, 'id' | 'turn_id' | 'call_id'>[]> {
  return tx
    .updateTable('mcp_sign_ins')
    .set({ status: 'done', state_hash: null, attempt: null, attempt_until: null })
    .where((eb) => eb.and({ agent_id, server: name, user_id, status: 'waiting' }))
    .returning(['id', 'turn_id', 'call_id'])
    .execute()
}

/** Closes a sign-in that no call waits for. */
export async function closeSignIn(db: Db | Tx, id: string): Promise<void> {
  await db
    .updateTable('mcp_sign_ins')
    .set({ status: 'done', state_hash: null, attempt: null, attempt_until: null })
    .where('id', '=', id)
    .execute()
}

/** When a server's address changes, its tokens and sign-ins are deleted. */
export async function forgetSignIns(tx: Tx, { agent_id, name }: McpServerRef): Promise<void> {
  for (const table of ['mcp_clients', 'mcp_grants', 'mcp_sign_ins'] as const) {
    await tx.deleteFrom(table).where('agent_id', '=', agent_id).where('server', '=', name).execute()
  }
}

/** Rows that the key of the box cannot decrypt, with a function that removes each; a pending sign-in is requested again. */
export async function findUnreadableSignIns(db: Db | Tx, box: SecretBox) {
  const clients = await db.selectFrom('mcp_clients').selectAll().execute()
  const grants = await db.selectFrom('mcp_grants').selectAll().execute()
  const waiting = await db.selectFrom('mcp_sign_ins').selectAll().where('status', '=', 'waiting').execute()
  const sealed = [
    ...clients.map(({ agent_id, server, sealed }) => ({
      name: clientName({ agent_id, name: server }),
      sealed,
      forget: async (tx: Tx) =>
        void (await tx
          .deleteFrom('mcp_clients')
          .where((eb) => eb.and({ agent_id, server }))
          .execute()),
    })),
    ...grants.map(({ agent_id, server, user_id, sealed }) => ({
      name: grantName({ agent_id, name: server, user_id }),
      sealed,
      forget: async (tx: Tx) =>
        void (await tx
          .deleteFrom('mcp_grants')
          .where((eb) => eb.and({ agent_id, server, user_id }))
          .execute()),
    })),
    ...waiting.map(({ id, sealed }) => ({ name: signInName(id), sealed, forget: (tx: Tx) => closeSignIn(tx, id) })),
  ]
  return sealed.filter((each) => !box.opens(each.name, each.sealed)).map(({ name, forget }) => ({ name, forget }))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

// What turns wait for people to decide, as rows: found, listed and taken. They are changed in approval-changes.ts.
import type { Selectable } from 'kysely'
import type { ApprovalRequired } from '../../contracts/events.ts'
import { approvalParameters, approvalSchema } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { ApprovalsTable, Db, Tx } from '../schema.ts'

export type ApprovalRow = Selectable<ApprovalsTable>

/** Marks the decision as read: its signal need not be sent again. */
export async function takeApproval(db: Db | Tx, id: string): Promise<void> {
  await db
    .updateTable('approvals')
    .set({ taken_at: new Date().toISOString() })
    .where('id', '=', id)
    .where('status', '=', 'decided')
    .where('taken_at', 'is', null)
    .execute()
}

/** Unread decisions made before a given time: their signal may have been lost. */
export function listUntaken(db: Db, decidedBefore: string, limit: number, after = '') {
  return db
    .selectFrom('approvals')
    .select(['id', 'turn_id', 'call_id'])
    .where('status', '=', 'decided')
    .where('taken_at', 'is', null)
    .where('decided_at', '<', decidedBefore)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
}

export function findApproval(db: Db | Tx, id: string): Promise<ApprovalRow | undefined> {
  return db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst()
}

const shownAt = (db: Db | Tx, turnId: string) =>
  db
    .selectFrom('approvals')
    .selectAll()
    .where((eb) => eb.or([eb('turn_id', '=', turnId), eb('root_turn_id', '=', turnId)]))
    .orderBy('id')

/** The approvals of a turn, and of the turns below it when it is the root. */
export function listApprovalsOfTurn(db: Db | Tx, turnId: string): Promise<ApprovalRow[]> {
  return shownAt(db, turnId).execute()
}

/** The same, those that wait. */
export function listWaiting(db: Db | Tx, turnId: string): Promise<ApprovalRow[]> {
  return shownAt(db, turnId).where('status', '=', 'waiting').execute()
}

/** The approvals of one call, oldest first. */
export function listApprovalsOfCall(db: Db | Tx, turnId: string, callId: string): Promise<ApprovalRow[]> {
  return db
    .selectFrom('approvals')
    .selectAll()
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .orderBy('id')
    .execute()
}

export function findApprovals(db: Db, ids: readonly string[]): Promise<ApprovalRow[]> {
  return db.selectFrom('approvals').selectAll().where('id', 'in', ids).execute()
}

export interface ApprovalFilter {
  status?: ApprovalsTable['status'] | undefined
  user_id?: string | undefined
  agent_id?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Newest first. */
export function listApprovals(db: Db, filter: ApprovalFilter): Promise<ApprovalRow[]> {
  let query = db.selectFrom('approvals').selectAll().orderBy('id', 'desc').limit(filter.limit)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id)
  if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
  if (filter.cursor !== undefined) query = query.where('id', '<', filter.cursor)
  return query.execute()
}

/** The payload of its `approval_required` event. */
export function requiredOf(approval: ApprovalRow): ApprovalRequired {
  const { id, call_id, kind, name, server, parameters, schema, url, message, drifted } = approval
  return {
    id,
    call_id,
    kind,
    name,
    server,
    ...(parameters !== null && { parameters: parseColumn(approvalParameters, parameters, id) }),
    ...(drifted === 1 && { drifted: true }),
    ...(schema !== null && { schema: parseColumn(approvalSchema, schema, id) }),
    ...(url !== null && { url }),
    ...(message !== null && { message }),
  }
}

/** The payload at the root of the turn: its call is the root's, and the agent that waits is named. */
export function requiredAtRoot(approval: ApprovalRow): ApprovalRequired {
  const required = requiredOf(approval)
  if (approval.root_call_id === null) return required
  return { ...required, call_id: approval.root_call_id, agent_id: approval.agent_id }
}

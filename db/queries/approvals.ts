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

export function listApprovalsOfTurn(db: Db | Tx, turnId: string): Promise<ApprovalRow[]> {
  return db.selectFrom('approvals').selectAll().where('turn_id', '=', turnId).orderBy('id').execute()
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

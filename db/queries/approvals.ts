// What turns wait for people to decide. A change is made under the lock of its turn; a decision is one compare-and-set, and the row is the truth.
import type { Selectable } from 'kysely'
import type { ApprovalDecision, ApprovalKind } from '../../contracts/approval.ts'
import { workflowId } from '../../contracts/temporal.ts'
import type { ApprovalRequired, StoredEvent } from '../../contracts/events.ts'
import { newId } from '../../contracts/ids.ts'
import { approvalArguments, approvalParameters, approvalSchema } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { addEvents } from '../event-rows.ts'
import type { ApprovalsTable, Db, Tx } from '../schema.ts'
import { startLogEntry } from './log.ts'

export type ApprovalRow = Selectable<ApprovalsTable>

export interface NewApproval {
  turn_id: string
  call_id: string
  /** Unique within the call: the key of the approval. */
  place: string
  kind: ApprovalKind
  name: string
  server: string
  parameters?: unknown
  tool_hash?: string
  drifted?: boolean
  schema?: unknown
  url?: string | undefined
  message?: string | undefined
}

/**
 * Requests a decision, unless it is requested already, and marks the turn as waiting; does nothing for a turn that has
 * ended.
 * The caller holds the turn's lock.
 * @returns the current row, and the events to publish
 */
export async function askApproval(
  tx: Tx,
  asked: NewApproval,
): Promise<{ approval: ApprovalRow; events: StoredEvent[] }> {
  const { turn_id, call_id, place, kind, name, server } = asked
  const known = await tx
    .selectFrom('approvals')
    .selectAll()
    .where('turn_id', '=', turn_id)
    .where('call_id', '=', call_id)
    .where('place', '=', place)
    .executeTakeFirst()
  if (known) return { approval: known, events: [] }
  const { status, ...turn } = await tx
    .selectFrom('turns')
    .select(['user_id', 'agent_id', 'status'])
    .where('id', '=', turn_id)
    .executeTakeFirstOrThrow()
  const isOver = status !== 'running' && status !== 'awaiting_approval'
  const approval = await tx
    .insertInto('approvals')
    .values({
      id: newId('appr'),
      turn_id,
      call_id,
      place,
      ...turn,
      kind,
      name,
      server,
      parameters: toJson(asked.parameters),
      tool_hash: asked.tool_hash ?? null,
      drifted: asked.drifted ? 1 : 0,
      schema: toJson(asked.schema),
      url: asked.url ?? null,
      message: asked.message ?? null,
      status: isOver ? 'cancelled' : 'waiting',
      created_at: new Date().toISOString(),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  if (isOver) return { approval, events: [] }
  await tx
    .updateTable('turns')
    .set({ status: 'awaiting_approval' })
    .where('id', '=', turn_id)
    .where('status', '=', 'running')
    .execute()
  await startLogEntry(tx, {
    stream_id: turn_id,
    kind: 'approval',
    name: `${server}/${name}`,
    ...logPlaceOf(approval),
    attempt: 1,
    input: { kind, parameters: asked.parameters, message: asked.message, url: asked.url },
  })
  const event = { type: 'approval_required' as const, data: requiredOf(approval) }
  const added = await addEvents(tx, turn_id, undefined, [{ event, key: `ask:${approval.id}` }])
  return { approval, events: 'events' in added ? added.events : [] }
}

export interface Decision {
  decision: ApprovalDecision
  arguments?: Record<string, unknown> | undefined
  answer?: unknown
  reason?: string | undefined
  decided_by: string
}

/**
 * Decides, unless it is decided or the turn is being stopped. Changed arguments replace those of the call. The caller holds
 * the turn's lock.
 * @returns the events to publish, or undefined when it is too late
 */
export async function decideApproval(
  tx: Tx,
  { turn_id, id }: Pick<ApprovalRow, 'turn_id' | 'id'>,
  decision: Decision,
): Promise<StoredEvent[] | undefined> {
  const decided = await tx
    .updateTable('approvals')
    .set({
      status: 'decided',
      decision: decision.decision,
      arguments: toJson(decision.arguments),
      answer: toJson(decision.answer),
      reason: decision.reason ?? null,
      decided_by: decision.decided_by,
      decided_at: new Date().toISOString(),
    })
    .where('id', '=', id)
    .where('status', '=', 'waiting')
    .where('turn_id', 'in', (eb) =>
      eb.selectFrom('turns').select('id').where('id', '=', turn_id).where('cancel_requested_at', 'is', null),
    )
    .returningAll()
    .executeTakeFirst()
  if (!decided) return undefined
  if (decided.arguments !== null)
    await tx
      .updateTable('tool_calls')
      .set({ arguments: decided.arguments })
      .where('turn_id', '=', turn_id)
      .where('call_id', '=', decided.call_id)
      .where('status', '=', 'planned')
      .execute()
  return settle(tx, turn_id, [decided], decision.decision)
}

/** Cancels pending approvals: all of a turn, or of one call. The caller holds the turn's lock. @returns the events to publish */
export async function cancelApprovals(
  tx: Tx,
  turnId: string,
  of: { call_id?: string; kind?: ApprovalKind; id?: string } = {},
): Promise<StoredEvent[]> {
  const stamp = new Date().toISOString()
  let query = tx
    .updateTable('approvals')
    .set({ status: 'cancelled', decided_at: stamp, taken_at: stamp })
    .where('turn_id', '=', turnId)
    .where('status', '=', 'waiting')
  if (of.call_id !== undefined) query = query.where('call_id', '=', of.call_id)
  if (of.kind !== undefined) query = query.where('kind', '=', of.kind)
  if (of.id !== undefined) query = query.where('id', '=', of.id)
  const cancelled = await query.returningAll().execute()
  return cancelled.length === 0 ? [] : settle(tx, turnId, cancelled, 'cancelled')
}

/** Writes the events and log entry of a decision; the turn continues when it waits for nothing else. */
async function settle(
  tx: Tx,
  turnId: string,
  approvals: ApprovalRow[],
  decision: ApprovalDecision | 'cancelled',
): Promise<StoredEvent[]> {
  const waiting = await tx
    .selectFrom('approvals')
    .select('id')
    .where('turn_id', '=', turnId)
    .where('status', '=', 'waiting')
    .executeTakeFirst()
  if (!waiting)
    await tx
      .updateTable('turns')
      .set({ status: 'running' })
      .where('id', '=', turnId)
      .where('status', '=', 'awaiting_approval')
      .execute()
  for (const approval of approvals) {
    const { workflow_id, activity_id } = logPlaceOf(approval)
    const { decided_by, reason, created_at, decided_at } = approval
    await tx
      .updateTable('log_entries')
      .set({
        status: decision === 'cancelled' ? 'cancelled' : 'completed',
        duration_ms: Date.parse(decided_at ?? created_at) - Date.parse(created_at),
        output: JSON.stringify({
          decision,
          ...(approval.arguments !== null && {
            arguments: parseColumn(approvalArguments, approval.arguments, approval.id),
          }),
          ...(reason !== null && { reason }),
          ...(decided_by !== null && { decided_by }),
        }),
      })
      .where('stream_id', '=', turnId)
      .where('workflow_id', '=', workflow_id)
      .where('activity_id', '=', activity_id)
      .execute()
  }
  const added = await addEvents(
    tx,
    turnId,
    undefined,
    approvals.map(({ id }) => ({
      event: { type: 'approval_decided' as const, data: { id, decision } },
      key: `decide:${id}`,
    })),
  )
  return 'events' in added ? added.events : []
}

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

/** Its entry in the execution log. */
function logPlaceOf({ turn_id, call_id, id }: Pick<ApprovalRow, 'turn_id' | 'call_id' | 'id'>) {
  return { workflow_id: workflowId.toolCall(turn_id, call_id), activity_id: id }
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

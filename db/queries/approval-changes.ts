// Approvals are requested, decided and cancelled, each under the lock of its turn. A decision is one compare-and-set, and the row is the truth.
import type { ApprovalDecision, ApprovalKind } from '../../contracts/approval.ts'
import type { ApprovalRequired, StoredEvent } from '../../contracts/events.ts'
import { newId } from '../../contracts/ids.ts'
import { workflowId } from '../../contracts/temporal.ts'
import { approvalArguments } from '../columns.ts'
import { addEvents, type Addition } from '../event-rows.ts'
import { parseColumn } from '../json-column.ts'
import type { Tx } from '../schema.ts'
import { listWaiting, requiredAtRoot, requiredOf, type ApprovalRow } from './approvals.ts'
import { lockRootOf } from './child-turns.ts'
import { startLogEntry } from './log.ts'

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

/** Events of a turn, or of the root where they are shown too, to be published. */
export interface Shown {
  turn_id: string
  events: StoredEvent[]
}

/**
 * Requests a decision, unless it is requested already, and marks the turn as waiting, and its root; does nothing for a turn that has
 * ended.
 * The caller holds the turn's lock.
 * @returns the current row, and the events to publish
 */
export async function askApproval(tx: Tx, asked: NewApproval): Promise<{ approval: ApprovalRow; shown: Shown[] }> {
  const { turn_id, call_id, place, kind, name, server } = asked
  const known = await tx
    .selectFrom('approvals')
    .selectAll()
    .where('turn_id', '=', turn_id)
    .where('call_id', '=', call_id)
    .where('place', '=', place)
    .executeTakeFirst()
  if (known) return { approval: known, shown: [] }
  const root = await lockRootOf(tx, turn_id)
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
      root_turn_id: root?.turn_id ?? null,
      root_call_id: root?.call_id ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  if (isOver) return { approval, shown: [] }
  await tx
    .updateTable('turns')
    .set({ status: 'awaiting_approval' })
    .where('id', 'in', root ? [turn_id, root.turn_id] : [turn_id])
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
  const event = (data: ApprovalRequired) => ({
    event: { type: 'approval_required' as const, data },
    key: `ask:${approval.id}`,
  })
  return {
    approval,
    shown: [
      await show(tx, turn_id, [event(requiredOf(approval))]),
      ...(root ? [await show(tx, root.turn_id, [event(requiredAtRoot(approval))])] : []),
    ],
  }
}

async function show(tx: Tx, turn_id: string, additions: Addition[]): Promise<Shown> {
  const added = await addEvents(tx, turn_id, undefined, additions)
  return { turn_id, events: 'events' in added ? added.events : [] }
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
): Promise<Shown[] | undefined> {
  const root = await lockRootOf(tx, turn_id)
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
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('turns')
            .select('id')
            .where('id', 'in', root ? [turn_id, root.turn_id] : [turn_id])
            .where('cancel_requested_at', 'is not', null),
        ),
      ),
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
): Promise<Shown[]> {
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

/** Writes the events and log entry of a decision; the turn continues when it waits for nothing else, and so does its root. */
async function settle(
  tx: Tx,
  turnId: string,
  approvals: ApprovalRow[],
  decision: ApprovalDecision | 'cancelled',
): Promise<Shown[]> {
  const root = await lockRootOf(tx, turnId)
  const shownAt = root ? [turnId, root.turn_id] : [turnId]
  for (const id of shownAt) {
    if ((await listWaiting(tx, id)).length > 0) continue
    await tx
      .updateTable('turns')
      .set({ status: 'running' })
      .where('id', '=', id)
      .where('status', '=', 'awaiting_approval')
      .execute()
  }
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
  const additions = approvals.map(({ id }) => ({
    event: { type: 'approval_decided' as const, data: { id, decision } },
    key: `decide:${id}`,
  }))
  const shown: Shown[] = []
  for (const id of shownAt) shown.push(await show(tx, id, additions))
  return shown
}

/** Its entry in the execution log. */
function logPlaceOf({ turn_id, call_id, id }: Pick<ApprovalRow, 'turn_id' | 'call_id' | 'id'>) {
  return { workflow_id: workflowId.toolCall(turn_id, call_id), activity_id: id }
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

// Approvals: views, and decisions made once. The row is authoritative; the waiting workflow is signalled to read it.
import { faultOf } from '../../contracts/arguments.ts'
import { rounded } from '../../contracts/exact-json.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import type { DecisionRequest } from '../../contracts/schemas/approvals.ts'
import { approvalAnswer, approvalArguments, approvalSchema } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { decideApproval } from '../../db/queries/approval-changes.ts'
import { findApproval, listWaiting, requiredAtRoot, type ApprovalRow } from '../../db/queries/approvals.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { findTool, parametersOf } from '../../db/queries/mcp-tools.ts'
import { listOpenCalls } from '../../db/queries/steps.ts'
import { lockTurn } from '../../db/queries/turns.ts'
import type { Db, TurnsTable } from '../../db/schema.ts'
import type { ApiContext } from './context.ts'
import { tellDecision } from './engine.ts'

/** The view of an approval in lists and turns. */
export function viewApproval(row: ApprovalRow) {
  const { turn_id, root_turn_id, agent_id, user_id, status, decision, reason, created_at, decided_at } = row
  return {
    ...requiredAtRoot(row),
    turn_id: root_turn_id ?? turn_id,
    agent_id,
    user_id,
    status,
    ...(decision !== null && { decision }),
    ...(row.arguments !== null && { arguments: parseColumn(approvalArguments, row.arguments, row.id) }),
    ...(row.answer !== null && { answer: parseColumn(approvalAnswer, row.answer, row.id) }),
    ...(reason !== null && { reason }),
    created_at,
    decided_at,
  }
}

/** The pending approvals of a turn. */
export async function waitingOf(db: Db, turnId: string) {
  return (await listWaiting(db, turnId)).map(viewApproval)
}

/**
 * Whether the turn waits for nothing but people: each of its calls that has not ended has a pending approval, its own or one of the
 * turn that it asked.
 * @param asked the approvals that count, of which all are pending then; by default all pending ones
 */
export async function isParked(db: Db, turnId: string, asked?: readonly string[]): Promise<boolean> {
  const pending = new Map((await listWaiting(db, turnId)).map((approval) => [approval.id, approval]))
  const counted = asked ?? [...pending.keys()]
  if (counted.length === 0 || !counted.every((id) => pending.has(id))) return false
  const asking = new Set(
    counted.map((id) => {
      const { turn_id, call_id, root_call_id } = pending.get(id)!
      return turn_id === turnId ? call_id : root_call_id
    }),
  )
  return (await listOpenCalls(db, turnId)).every((id) => asking.has(id))
}

/**
 * Decides on a pending approval; the first decision is final.
 * @returns the updated approval, and its event
 * @throws MuxiError not_found, bad_request, conflict
 */
export async function decide(
  context: ApiContext,
  principal: Principal,
  turn: TurnsTable,
  approvalId: string,
  request: DecisionRequest,
): Promise<{ approval: ApprovalRow; event: StoredEvent | undefined }> {
  const { db, events } = context.storage
  const approval = await findApproval(db, approvalId)
  if (!approval || ![approval.turn_id, approval.root_turn_id].includes(turn.id)) throw notFound('approval', approvalId)
  if (approval.status !== 'waiting') throw tooLate(approval)
  await check(db, approval, request)
  const added = await db.transaction().execute(async (tx) => {
    await lockTurn(tx, approval.turn_id)
    return decideApproval(tx, approval, { ...request, decided_by: principal.key_id })
  })
  const after = (await findApproval(db, approvalId)) ?? approval
  if (!added) throw tooLate(after)
  for (const shown of added) events.publish(shown.turn_id, shown.events)
  const event = added.find(({ turn_id }) => turn_id === turn.id)?.events[0]
  // A question is answered by the process that runs the call, which follows the events.
  if (approval.kind === 'question') return { approval: after, event }
  await tellDecision(context, approval).catch((error: unknown) =>
    context.log.warn(
      { err: error, approval_id: approvalId },
      'a decision is kept, and will be told when the engine is back',
    ),
  )
  return { approval: after, event }
}

/** @throws MuxiError bad_request */
async function check(db: Db, approval: ApprovalRow, request: DecisionRequest): Promise<void> {
  const { kind, schema } = approval
  const allowed = schema !== null ? ['answer', 'deny'] : kind === 'sign_in' ? ['deny'] : ['approve', 'deny']
  if (!allowed.includes(request.decision)) throw wrong('decision', allowed.map((each) => `'${each}'`).join(' or '))
  if (request.arguments !== undefined) {
    if (kind !== 'tool' || request.decision !== 'approve')
      throw wrong('arguments', 'left out, unless a call is approved')
    const ref = { agent_id: approval.agent_id, name: approval.server }
    const tool = await findTool(db, ref, approval.name)
    const wants = tool && parametersOf(tool)
    const fault = wants && faultOf(wants, rounded(request.arguments), 'arguments')
    if (fault !== undefined) throw wrong('arguments', `as the tool wants them: ${fault}`)
  }
  if (request.decision !== 'answer') {
    if (request.answer !== undefined) throw wrong('answer', "left out, unless 'decision' is 'answer'")
    return
  }
  if (request.answer === undefined) throw wrong('answer', 'given')
  const fault = faultOf(parseColumn(approvalSchema, schema, approval.id) ?? {}, rounded(request.answer), 'answer')
  if (fault !== undefined) throw wrong('answer', `as its schema wants it: ${fault}`)
}

function wrong(path: string, expected: string): MuxiError {
  return wrongField('decide', path, expected)
}

function tooLate({ id, status, decision }: ApprovalRow): MuxiError {
  const why =
    status === 'decided'
      ? 'it has been decided already'
      : status === 'cancelled'
        ? 'it is no longer needed'
        : 'its turn is being stopped'
  return new MuxiError('conflict', `Cannot decide on '${id}': ${why}`, {
    details: { status, ...(decision !== null && { decision }) },
  })
}

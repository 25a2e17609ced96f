// What a tool call waits for people to decide: whether it may be made, and the questions that are asked during it.
import type { ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { askApproval, cancelApprovals, type NewApproval } from '../../db/queries/approval-changes.ts'
import { findApproval, listApprovalsOfCall, takeApproval, type ApprovalRow } from '../../db/queries/approvals.ts'
import { endLogEntry } from '../../db/queries/log.ts'
import { finishToolCall, getToolCallOrThrow, returnToolCall } from '../../db/queries/steps.ts'
import type { ToolCallsTable, Tx } from '../../db/schema.ts'
import { parked } from '../failures.ts'
import type { ActivityResources } from '../resources.ts'
import { endEvent, plannedStartEvent } from './call-events.ts'
import { callTransactions, refOf } from './call-transactions.ts'
import type { BegunCall } from './tool-ledger.ts'

/** An approval request without the ids of its call. */
export type Asked = Omit<NewApproval, 'turn_id' | 'call_id'>

/** The approvals of tool calls; each function is one transaction. */
export function callApprovals(resources: Pick<ActivityResources, 'db' | 'events'>) {
  const commit = callTransactions(resources)
  return {
    /**
     * Whether the call may be made now: no approval is pending or denied, and `gate` requires none.
     * @returns undefined when it may
     */
    async admit(
      input: ToolCallInput,
      gate: (tx: Tx, call: ToolCallsTable, approvals: ApprovalRow[]) => Promise<Asked | undefined>,
    ): Promise<{ result: ToolCallResult } | { approval_id: string } | undefined> {
      return commit(input.turn_id, async (tx, show, shown) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.status !== 'planned' && call.status !== 'started')
          return { result: { ...refOf(input), outcome: call.status as ToolCallResult['outcome'] } }
        const approvals = await gatesOf(tx, input)
        const waiting = approvals.find(({ status }) => status === 'waiting')
        if (waiting) return { approval_id: waiting.id }
        for (const { id, taken_at } of approvals) if (taken_at === null) await takeApproval(tx, id)
        const denied = approvals.find(({ decision }) => decision === 'deny')
        if (denied) {
          await finishToolCall(tx, input.turn_id, input.call_id, 'error', tellDenied(denied))
          await show(undefined, [plannedStartEvent(call), endEvent(input.call_id, tellDenied(denied), true)])
          return { result: { ...refOf(input), outcome: 'error' } }
        }
        const asks = call.status === 'planned' ? await gate(tx, call, approvals) : undefined
        if (!asks) return undefined
        const asking = await askApproval(tx, { ...refOf(input), ...asks })
        shown.push(...asking.shown)
        return { approval_id: asking.approval.id }
      })
    },

    /**
     * The call waits for a person: if it was started, its ledger row is removed.
     * @returns the failure that the activity throws; the call is made again once decided
     */
    async park(input: ToolCallInput, asked: Asked, run?: BegunCall): Promise<Error> {
      const id = await commit(input.turn_id, async (tx, show, shown) => {
        if (run) {
          await show(run.writer, [])
          await returnToolCall(tx, input.turn_id, input.call_id)
          const duration_ms = performance.now() - run.startedAt
          await endLogEntry(tx, run.logId, { status: 'interrupted', duration_ms })
        }
        const asking = await askApproval(tx, { ...refOf(input), ...asked })
        shown.push(...asking.shown)
        return asking.approval.id
      })
      return parked(id)
    },

    /** The server asks a question during the call. @returns its id, and the number of the event after which it is decided */
    ask(input: ToolCallInput, { writer }: BegunCall, question: Asked): Promise<{ id: string; after: number }> {
      return commit(input.turn_id, async (tx, show, shown) => {
        await show(writer, [])
        const asking = await askApproval(tx, { ...refOf(input), ...question })
        shown.push(...asking.shown)
        return { id: asking.approval.id, after: asking.shown[0]?.events[0]?.id ?? 0 }
      })
    },

    /** The decision on a question; an undecided one is cancelled. */
    readAnswer(input: ToolCallInput, id: string): Promise<ApprovalRow | undefined> {
      return commit(input.turn_id, async (tx, _, shown) => {
        shown.push(...(await cancelApprovals(tx, input.turn_id, { id })))
        await takeApproval(tx, id)
        return findApproval(tx, id)
      })
    },
  }
}

export type CallApprovals = ReturnType<typeof callApprovals>

/** Approvals required before the call, in contrast to questions during it. */
async function gatesOf(tx: Tx, { turn_id, call_id }: ToolCallInput): Promise<ApprovalRow[]> {
  return (await listApprovalsOfCall(tx, turn_id, call_id)).filter(({ kind }) => kind !== 'question')
}

function tellDenied({ kind, reason }: ApprovalRow): string {
  const what = kind === 'sign_in' ? 'The user did not sign in' : 'The user did not allow this call'
  return `${what}${reason === null ? '' : `: ${reason}`}. Nothing was done.`
}

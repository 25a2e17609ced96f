// Calls that reach another agent: an ask runs the other agent's turn as a child workflow, a handoff changes the agent of this turn.
import { CancellationScope, executeChild, getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow'
import type { HandoffResult, PlannedCall, ToolCallInput, ToolCallResult, TurnInput } from '../contracts/turn.ts'
import { beginAsk, endAsk, handOver } from './activities.ts'
import { turnStart } from './labels.ts'
import { parked } from './messages.ts'

/**
 * Asks another agent. Its failure is the result of the call; its cancellation, when this turn goes on, too.
 * @param left tokens that the asking turn has left: the other one may use no more
 */
export async function askAgent(turn: TurnInput, call: PlannedCall, left: number): Promise<ToolCallResult> {
  const input = toInput(turn, call)
  try {
    const begun = await beginAsk(input)
    if ('result' in begun) return begun.result
    await executeChild('chatTurn', {
      ...turnStart({ ...begun.turn, max_tokens: Math.min(begun.turn.max_tokens, left) }),
      parentClosePolicy: 'REQUEST_CANCEL',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    })
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) {
      await CancellationScope.nonCancellable(() => endAsk(input))
      throw error
    }
  }
  return CancellationScope.nonCancellable(() => endAsk(input))
}

/** Hands the turn over. @returns the result, with the agent that goes on */
export function handOverTurn(turn: TurnInput, call: PlannedCall): Promise<HandoffResult> {
  return handOver(toInput(turn, call))
}

/** Signals to the turn that asked for this one whether all calls of this one wait for a person: its deadline is paused too. */
export function parentNotifier(call_id: string): (waits: boolean) => void {
  let last = Promise.resolve()
  return (waits) => {
    const { parent } = workflowInfo()
    if (!parent) return
    const turn = getExternalWorkflowHandle(parent.workflowId, parent.runId)
    // One after the other: the last one counts. A signal to a closed turn is ignored.
    last = last.then(() => turn.signal(parked, { call_id, waits })).catch(() => undefined)
  }
}

function toInput({ turn_id, agent_id, conversation_id, user_hash }: TurnInput, call: PlannedCall): ToolCallInput {
  return { turn_id, agent_id, conversation_id, user_hash, ...call }
}

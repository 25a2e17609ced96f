// One tool call: run it, or record that it was cancelled or that nobody knows what became of it.
import { CancellationScope, isCancellation, setCurrentDetails } from '@temporalio/workflow'
import type { ToolCallInput, ToolCallResult } from '../contracts/engine.ts'
import { abandonToolCall, callTool } from './activities.ts'

export async function toolCall(call: ToolCallInput): Promise<ToolCallResult> {
  try {
    const result = await callTool.executeWithOptions({ summary: call.name }, [call])
    setCurrentDetails(result.outcome)
    return result
  } catch (error) {
    setCurrentDetails(isCancellation(error) ? 'Cancelled' : 'Outcome unknown')
    await CancellationScope.nonCancellable(() => abandonToolCall(call))
    if (isCancellation(error)) throw error
    return { turn_id: call.turn_id, call_id: call.call_id, outcome: 'unknown' }
  }
}

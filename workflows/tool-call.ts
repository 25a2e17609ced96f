// One tool call: run it, or record that it was cancelled or that nobody knows what became of it.
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  setCurrentDetails,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { McpCallInput, ToolCallInput, ToolCallResult } from '../contracts/engine.ts'
import { abandonToolCall, callMcpTool, callTool, giveUpMcpCall, locateMcpServer } from './activities.ts'

/** How often the holder of an MCP server is looked for before a call is given up: about half a minute altogether. */
const MAX_ROUNDS = 20
const MAX_PAUSE_MS = 2_000

export async function toolCall(call: ToolCallInput): Promise<ToolCallResult> {
  try {
    const { server } = call
    const result =
      server === undefined
        ? await callTool.executeWithOptions({ summary: call.name }, [call])
        : await callServer({ ...call, server })
    setCurrentDetails(result.outcome)
    return result
  } catch (error) {
    setCurrentDetails(isCancellation(error) ? 'Cancelled' : 'Outcome unknown')
    await CancellationScope.nonCancellable(() => abandonToolCall(call))
    if (isCancellation(error)) throw error
    return { turn_id: call.turn_id, call_id: call.call_id, outcome: 'unknown' }
  }
}

/** The call is made where the server is held; when that worker is gone, where it is held then. The ledger knows whether it was made. */
async function callServer(call: Omit<McpCallInput, 'round'>): Promise<ToolCallResult> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const { queue } = await locateMcpServer({ agent_id: call.agent_id, name: call.server })
    if (queue !== undefined) {
      setCurrentDetails(`Calling ${call.server}`)
      try {
        return await callMcpTool.executeWithOptions({ taskQueue: queue, summary: `${call.server}: ${call.name}` }, [
          { ...call, round },
        ])
      } catch (error) {
        if (!isWorthAnother(error)) throw error
      }
    }
    setCurrentDetails(`Waiting for ${call.server}`)
    await sleep(Math.min(250 * 2 ** round, MAX_PAUSE_MS))
  }
  return giveUpMcpCall(call)
}

/** A worker that never took the call, or died with it, or sent it back. */
function isWorthAnother(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && !cause.nonRetryable)
}

// The events with which a tool call begins and ends.
import { shownArguments } from '../../contracts/arguments.ts'
import { toolOutput } from '../../contracts/tool-output.ts'
import type { Addition } from '../../db/event-rows.ts'
import type { ToolCallsTable } from '../../db/schema.ts'

type Named = Pick<ToolCallsTable, 'call_id' | 'name' | 'server'> & { tool?: string | null | undefined }

/** @param parameters as they were read */
export function startEvent(call: Named, parameters: unknown): Addition {
  const data = { id: call.call_id, name: call.tool ?? call.name, server: call.server, parameters }
  return { event: { type: 'tool_call_start', data }, key: `start:${call.call_id}` }
}

/** The start of a call that was not begun, with its arguments as the model gave them. */
export function plannedStartEvent(call: Named & Pick<ToolCallsTable, 'arguments'>): Addition {
  return startEvent(call, shownArguments(call.arguments))
}

/** The start of a call that asks another agent. @param turnId the turn in which it answers */
export function askedEvent(call: ToolCallsTable, parameters: unknown, turnId: string): Addition {
  const { call_id: id, name, server } = call
  return {
    event: { type: 'tool_call_start', data: { id, name, server, parameters, turn_id: turnId } },
    key: `start:${id}`,
  }
}

/** @param agentId only of a handoff: the agent that goes on */
export function endEvent(id: string, output: string, isError: boolean, agentId?: string): Addition {
  const agent = agentId === undefined ? {} : { agent_id: agentId }
  const data = { id, output: toolOutput(output), is_error: isError, ...agent }
  return { event: { type: 'tool_call_end', data }, key: `end:${id}` }
}

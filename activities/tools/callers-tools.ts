// The tools that a caller brings with its request: offered with those of the agent, their calls are returned to the caller.
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import type { GenerateRequest } from '../../providers/provider.ts'
import { MAX_TOOLS, type OfferedTool } from './tools.ts'

/** The tools of the caller that are offered. */
export function callersTools(carried: CarriedRequest | undefined): OfferedTool[] {
  if (!carried || carried.tool_choice === 'none') return []
  return carried.tools.map((tool) => ({ ...tool, server: 'caller', is_callers: true }))
}

/**
 * Adds the caller's tools to those of the agent. One of the agent's with the same name is left out, and so are all of them where the
 * caller demands a call: it could not be one of its own.
 */
export function withCallersTools(
  ofAgent: readonly OfferedTool[],
  callers: readonly OfferedTool[],
  carried: CarriedRequest | undefined,
): { offered: OfferedTool[]; tool_choice?: GenerateRequest['tool_choice'] } {
  const choice = callers.length === 0 || carried?.tool_choice === 'none' ? undefined : carried?.tool_choice
  if (choice !== undefined) return { offered: [...callers], tool_choice: choice }
  const others = ofAgent.filter(({ name }) => !callers.some((tool) => tool.name === name))
  return { offered: [...callers, ...others].slice(0, MAX_TOOLS) }
}

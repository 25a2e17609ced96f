// The calls that a model's reply asks for: those to make, and those that are refused, with the error for the model.
import { isObjectText } from '../../contracts/json.ts'
import type { AssistantPart, FinishReason, ToolCallPart } from '../../contracts/model-messages.ts'
import type { StoredPart } from '../../contracts/schemas/stored-parts.ts'
import type { NewToolCall } from '../../db/queries/steps.ts'
import type { GenerateResult } from '../../providers/provider.ts'
import type { OfferedTool } from '../tools/tools.ts'

/** Calls of one step beyond this many are not made. Their names must fit into a payload of 2 kB. */
export const MAX_CALLS = 16

const TOO_MANY = `Not called: one step makes at most ${MAX_CALLS} calls. Nothing was done. Make this call in the next step if it is still needed.`
/** The results of its own tools would be lost to the model: the caller's next request has the caller's calls only. */
const AFTER_OWN =
  'Not called: the other calls of this step were made first, and their results are here. Make this call again in a step without them if it is still needed.'
const CUT: Partial<Record<FinishReason, string>> = {
  length:
    'Not called: the reply reached its length limit before the arguments of this call were complete. Nothing was done. ' +
    'Make the call again with shorter arguments, or divide the work between several calls in separate steps.',
  content_filter:
    "Not called: the provider's content filter ended the reply before the arguments of this call were complete. Nothing was done.",
}

/**
 * The calls of a step, in order. A cut reply makes the calls that were complete before the cut. Calls of the caller's tools are returned
 * when the step has no others.
 */
export function planCalls(
  step: number,
  reply: GenerateResult,
  offered: readonly OfferedTool[],
  { single_call = false }: { single_call?: boolean | undefined } = {},
): NewToolCall[] {
  const planned = readCalls(step, reply, offered)
  const isMade = ({ refusal }: NewToolCall) => refusal === undefined
  if (planned.some((call) => isMade(call) && !call.returned))
    return planned.map(({ returned, ...call }) => (returned && isMade(call) ? { ...call, refusal: AFTER_OWN } : call))
  const first = planned.find((call) => isMade(call) && call.returned)
  return single_call && first ? [first] : planned
}

function readCalls(step: number, reply: GenerateResult, offered: readonly OfferedTool[]): NewToolCall[] {
  const requested = reply.parts.filter((part) => part.type === 'tool_call')
  return requested.map((call, index) => {
    const { server = '', tool, to_agent, is_callers } = offered.find(({ name }) => name === call.name) ?? {}
    const isLast = index === requested.length - 1
    const cut = isComplete(call, isLast) ? undefined : CUT[reply.finish_reason]
    return {
      call_id: callId(step, index),
      name: call.name.slice(0, 64),
      server,
      tool,
      provider_call_id: call.id,
      arguments: call.arguments,
      refusal: index >= MAX_CALLS ? TOO_MANY : cut,
      ...(to_agent && { agent_call: to_agent.kind, to_agent: to_agent.id }),
      ...(is_callers && { returned: true }),
    }
  })
}

/** A JSON object is complete at its closing brace. Without arguments nothing shows the end of a call but the next one. */
function isComplete({ arguments: args }: ToolCallPart, isLast: boolean): boolean {
  if (args.trim() === '') return !isLast
  return isObjectText(args)
}

/** The parts as they are kept for the next request; undefined when text and calls say everything. */
export function toStoredParts(step: number, parts: readonly AssistantPart[]): StoredPart[] | undefined {
  if (!parts.some((part) => part.type === 'reasoning' || part.metadata !== undefined)) return undefined
  let calls = 0
  return parts.map((part) => {
    if (part.type !== 'tool_call') return part
    const stored = {
      type: 'tool_call' as const,
      call_id: callId(step, calls),
      ...(part.metadata && { metadata: part.metadata }),
    }
    calls += 1
    return stored
  })
}

/** Ours: the providers' ids need not be unique. */
function callId(step: number, index: number): string {
  return `call_${step}_${index + 1}`
}

// Other agents as tools of a model: one function to ask each, one to hand the turn over to each.
import { createHash } from 'node:crypto'
import type { AgentConfig } from '../../contracts/schemas/agent.ts'
import type { AgentCall } from '../../contracts/turn.ts'
import { listDescriptions } from '../../db/queries/agents.ts'
import type { Db } from '../../db/schema.ts'
import type { OfferedTool } from './tools.ts'

const MAX_NAME = 64
const PREFIX: Record<AgentCall, string> = { ask: 'ask_', handoff: 'transfer_to_' }

const ASK = {
  type: 'object',
  properties: {
    message: { type: 'string', minLength: 1, description: 'What to say to the agent, with all that it needs to know' },
  },
  required: ['message'],
  additionalProperties: false,
}

const HANDOFF = {
  type: 'object',
  properties: { reason: { type: 'string', description: 'Why, in a sentence for the other agent' } },
  additionalProperties: false,
}

export const AGENT_CALL_PARAMETERS: Record<AgentCall, Record<string, unknown>> = { ask: ASK, handoff: HANDOFF }

/** The tools with which an agent reaches others, without those that were deleted. */
export async function agentTools(
  db: Db,
  { agent_tools = [], handoffs = [] }: Pick<AgentConfig, 'agent_tools' | 'handoffs'>,
): Promise<OfferedTool[]> {
  if (agent_tools.length + handoffs.length === 0) return []
  const descriptions = await listDescriptions(db, [...agent_tools, ...handoffs])
  const toolOf = (kind: AgentCall, id: string): OfferedTool[] => {
    const about = descriptions.get(id)
    if (about === undefined) return []
    return [
      {
        name: agentToolName(kind, id),
        server: 'builtin',
        description: describe(kind, id, about),
        parameters: AGENT_CALL_PARAMETERS[kind],
        to_agent: { id, kind },
      },
    ]
  }
  return [...agent_tools.flatMap((id) => toolOf('ask', id)), ...handoffs.flatMap((id) => toolOf('handoff', id))]
}

/** `ask_<id>` or `transfer_to_<id>`, with a hash at its end if that is too long or could be the name of an MCP server's tool. */
export function agentToolName(kind: AgentCall, id: string): string {
  const plain = `${PREFIX[kind]}${id}`
  if (plain.length <= MAX_NAME && !plain.includes('__')) return plain
  const suffix = `_${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
  return plain.replaceAll(/_+/g, '_').slice(0, MAX_NAME - suffix.length) + suffix
}

function describe(kind: AgentCall, id: string, about: string): string {
  return kind === 'ask'
    ? `Asks the agent '${id}' and gives its answer. It sees this message only, not the conversation. What it is good for: ${about}`
    : `Hands this conversation over to the agent '${id}', which sees all of it and answers in your place. What it is good for: ${about}`
}

// Checks of the agents that an agent names: they exist, and none is itself.
import type { AgentInput } from './schemas/agent.ts'

/** @param known whether there is an agent of an id @returns the faults, which complete "'<path>' must be …" */
export function otherAgentFaults(
  agent: Pick<AgentInput, 'agent_tools' | 'handoffs'>,
  ownId: string,
  known: (id: string) => boolean,
): { path: (string | number)[]; expected: string }[] {
  return (['agent_tools', 'handoffs'] as const).flatMap((key) =>
    (agent[key] ?? []).flatMap((id, index) => {
      if (id === ownId) return [{ path: [key, index], expected: 'another agent, not this one' }]
      return known(id) ? [] : [{ path: [key, index], expected: 'the id of an agent that exists' }]
    }),
  )
}

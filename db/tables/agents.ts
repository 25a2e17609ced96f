// Agents with their versions.
import type { AgentSource } from '../../contracts/schemas/agent.ts'

export interface AgentsTable {
  id: string
  version: number
  source: AgentSource
  /** Name of the defining file, when `source` is `file`, else of the file that it was imported from and that is loaded at every start. */
  file: string | null
  description: string
  created_at: string
  updated_at: string
  deleted_at: string | null
}

export interface AgentVersionsTable {
  agent_id: string
  version: number
  /** AgentConfig without credentials. */
  config: string
  /** Who wrote it: an operator in a file, or a client of the API. */
  source: AgentSource
  created_at: string
}

/** Decisions of the orchestrator. */
export interface RoutingDecisionsTable {
  /** Of the normalised message, and of what else was decided by. */
  message_hash: string
  /** Names the set of agents, as it was. */
  agents: string
  agent_id: string
  confidence: number
  created_at: string
}

// Routing: the orchestrator chooses the agent of a message that names none.
import type { ModelRef } from './turn.ts'

/**
 * Stands for the orchestrator in place of an agent's id: of its conversations, and of turns whose agent is not chosen yet. No
 * agent may have it.
 */
export const AUTO = 'auto'

/** The chosen agent of a turn, and its models in the order in which they are asked. */
export interface RouteResult {
  turn_id: string
  agent_id: string
  agent_version: number
  models: ModelRef[]
}

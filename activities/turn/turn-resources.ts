// What the activities of a turn work with besides the common resources; a process that also serves the API shares it.
import type { TurnInput } from '../../contracts/turn.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import type { HeadStarts } from './head-start.ts'
import type { ActivityResources } from '../resources.ts'
import type { RoutingOptions } from './route-turn.ts'
import type { PrepareStep } from './step-prompt.ts'

export interface TurnResources extends Pick<ActivityResources, 'tools'> {
  /** How the orchestrator chooses. */
  routing: RoutingOptions
  /** Prepares a step's model call. */
  prepareStep: PrepareStep
  /** Of the API in the same process; undefined where there is none. */
  headStarts: HeadStarts | undefined
  /** The input of the workflow of a turn. */
  describeTurn: (turn: StartableTurn) => Promise<TurnInput>
  /** Starts the workflow of an active turn; one that has been started counts as success. */
  startTurn: (turn: StartableTurn) => Promise<void>
  /** Starts the writing of memory after the end of a turn; a failure is left to the sweeper. */
  startMemory: (filled: { conversation_id: string; agent_id: string; user_id: string }) => Promise<void>
}

// Starts the workflows of turns: the one function for the process that accepts a message, the activity that ends the turn before, and
// the sweeper.
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client'
import { AUTO } from '../contracts/routing.ts'
import type { TurnInput } from '../contracts/turn.ts'
import { getAgentVersion } from '../db/queries/agents.ts'
import { oncePerVersion } from '../db/queries/once-per-version.ts'
import { listJobsOfTurn } from '../db/queries/jobs.ts'
import type { StartableTurn } from '../db/queries/turn-queue.ts'
import type { Storage } from '../db/storage.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import { turnStart } from '../workflows/labels.ts'

export interface TurnStarterOptions {
  client: Client
  storage: Pick<Storage, 'db' | 'box'>
  models: Pick<ModelRegistry, 'chainOf' | 'orderOf'>
  limits: { steps_per_turn: number; turn_seconds: number; tokens_per_turn: number }
  /**
   * Whether the first workflow task may go directly to a worker of this process (eager start): it shares the client's
   * connection and is not draining.
   */
  eager: () => boolean
}

/** Makes the function that gives the input of a turn's workflow. */
export function turnDescriber({
  storage,
  models,
  limits,
}: Pick<TurnStarterOptions, 'storage' | 'models' | 'limits'>): (turn: StartableTurn) => Promise<TurnInput> {
  const modelsOf = oncePerVersion(async (id, version) => {
    const { config, source } = await getAgentVersion(storage.db, id, version)
    const chain = models.chainOf(config, source)
    return () => models.orderOf(chain, config)
  })

  return async (turn) => {
    const { id, conversation_id, agent_id, agent_version, user_id, attached } = turn
    const jobs = attached ? await listJobsOfTurn(storage.db, id) : []
    return {
      turn_id: id,
      conversation_id,
      agent_id,
      agent_version,
      user_hash: storage.box.pseudonym(user_id),
      models: agent_id === AUTO ? [] : (await modelsOf(agent_id, agent_version))(),
      max_steps: limits.steps_per_turn,
      max_tokens: limits.tokens_per_turn,
      deadline_ms: limits.turn_seconds * 1_000,
      ...(jobs.length > 0 && { jobs: jobs.map(({ id: jobId, kind }) => ({ id: jobId, kind })) }),
    }
  }
}

/** Makes the function that starts the workflow of an active turn. "Already started" counts as success. */
export function turnStarter(
  { client, eager }: Pick<TurnStarterOptions, 'client' | 'eager'>,
  describe: (turn: StartableTurn) => Promise<TurnInput>,
): (turn: StartableTurn) => Promise<void> {
  return async (turn) => {
    const input = await describe(turn)
    try {
      await client.workflow.start('chatTurn', { ...turnStart(input), requestEagerStart: eager() })
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    }
  }
}

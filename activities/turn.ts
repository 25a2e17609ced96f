// The beginning and the end of a turn, in rows and events, and waiting for a turn that another run started.
import { activityInfo, cancellationSignal, cancelled, getClient } from '@temporalio/activity'
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client'
import { workflowId, type Claim, type FinishInput, type TurnInput } from '../contracts/engine.ts'
import { getAgentVersion, oncePerVersion } from '../db/queries/agents.ts'
import { listJobsOfTurn } from '../db/queries/jobs.ts'
import { readNeeds } from '../db/queries/turn-input.ts'
import { claimTurn, finishTurn } from '../db/queries/turns.ts'
import type { ActivityResources } from './resources.ts'
import { startBeating } from './heartbeat.ts'

export function turnActivities({
  db,
  events,
  models,
  limits,
}: Pick<ActivityResources, 'db' | 'events' | 'models' | 'limits'>) {
  const versionOf = oncePerVersion((id, version) => getAgentVersion(db, id, version))
  return {
    /** Takes the turn for the calling workflow and tells it what it may spend. */
    async claimTurn({ turn_id }: TurnInput): Promise<Claim> {
      const runId = activityInfo().workflowExecution?.runId ?? ''
      const claim = await db.transaction().execute((tx) => claimTurn(tx, turn_id, runId))
      if (!claim.claimed) return claim
      events.publish(turn_id, claim.events)
      const { config, source } = await versionOf(claim.agent_id, claim.agent_version)
      const { attached, searchable } = await readNeeds(db, turn_id)
      const jobs = attached ? await listJobsOfTurn(db, turn_id) : []
      return {
        claimed: true,
        models: models.chainOf(config, source).map(({ provider, model }) => ({ provider, model })),
        max_steps: limits.steps_per_turn,
        max_tokens: limits.tokens_per_turn,
        deadline_ms: limits.turn_seconds * 1_000,
        jobs: jobs.map(({ id }) => id),
        job_kinds: jobs.map(({ kind }) => kind),
        recall: jobs.length > 0 || searchable,
      }
    },

    /** Records how the turn ended, once. */
    async finishTurn({ turn_id, status, failure }: FinishInput): Promise<void> {
      const added = await db.transaction().execute((tx) => finishTurn(tx, turn_id, status, failure))
      events.publish(turn_id, added)
    },

    /** Resolves when a turn's workflow is over, however it ended. Being cancelled cancels that turn, when it is our own. */
    async awaitTurn(turnId: string, own: boolean): Promise<void> {
      const stopBeating = startBeating()
      const handle = getClient().workflow.getHandle(workflowId.chatTurn(turnId))
      try {
        await Promise.race([handle.result(), cancelled()])
      } catch (error) {
        if (cancellationSignal().aborted) {
          if (own) await handle.cancel().catch(() => undefined)
          throw error
        }
        if (!(error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError)) throw error
      } finally {
        stopBeating()
      }
    },
  }
}

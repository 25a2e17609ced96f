// The beginning and the end of a turn, in rows and events, and waiting for a turn that another run started.
import { activityInfo, cancellationSignal, cancelled, getClient } from '@temporalio/activity'
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client'
import { workflowId, type Claim, type FinishInput, type TurnInput } from '../contracts/engine.ts'
import { getAgentVersion } from '../db/queries/agents.ts'
import { listJobsOfTurn } from '../db/queries/jobs.ts'
import { hasDocuments } from '../db/queries/knowledge.ts'
import { claimTurn, finishTurn } from '../db/queries/turns.ts'
import type { ActivityResources } from './resources.ts'
import { startBeating } from './heartbeat.ts'

export function turnActivities({
  db,
  events,
  models,
  limits,
}: Pick<ActivityResources, 'db' | 'events' | 'models' | 'limits'>) {
  return {
    /** Takes the turn for the calling workflow and tells it what it may spend. */
    async claimTurn({ turn_id, ...labels }: TurnInput): Promise<Claim> {
      const runId = activityInfo().workflowExecution?.runId ?? ''
      const claim = await db.transaction().execute((tx) => claimTurn(tx, turn_id, runId))
      if (!claim.claimed) return claim
      events.publish(turn_id, claim.events)
      const { config } = await getAgentVersion(db, claim.agent_id, claim.agent_version)
      const jobs = await listJobsOfTurn(db, turn_id)
      return {
        claimed: true,
        models: models.chainOf(config).map(({ provider, model }) => ({ provider, model })),
        max_steps: limits.steps_per_turn,
        max_tokens: limits.tokens_per_turn,
        deadline_ms: limits.turn_seconds * 1_000,
        jobs: jobs.map(({ id }) => id),
        job_kinds: jobs.map(({ kind }) => kind),
        recall: jobs.length > 0 || (await hasDocuments(db, labels.agent_id, labels.conversation_id)),
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

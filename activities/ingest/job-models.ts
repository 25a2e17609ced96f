// The models that a job may call, in the order of its agent's chain, and a call of one of them.
import { activityInfo } from '@temporalio/activity'
import { AUTO } from '../../contracts/routing.ts'
import { getAgentOrThrow, getAgentSecrets, getAgentVersion } from '../../db/queries/agents.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { Db, JobsTable } from '../../db/schema.ts'
import type { GenerateRequest } from '../../providers/provider.ts'
import type { ChainModel, ModelRegistry } from '../../providers/registry.ts'
import { ATTEMPTS_A_MODEL, callMetered } from '../metered-call.ts'
import type { ActivityResources } from '../resources.ts'

export async function modelsOf(db: Db, models: ModelRegistry, job: JobsTable): Promise<ChainModel[]> {
  const agent = await agentOf(db, job)
  return agent ? models.chainOf(agent.config, agent.source) : []
}

/** Those that take pictures: the chain of a description. */
export async function visionModelsOf(db: Db, models: ModelRegistry, job: JobsTable): Promise<ChainModel[]> {
  return (await modelsOf(db, models, job)).filter(({ known }) => known.pictures !== undefined)
}

export interface JobQuestion extends Pick<GenerateRequest, 'system' | 'messages'> {
  /** Place of the call in the usage of the job. */
  step: number
  /** Longest text that is kept, in characters. */
  max_characters: number
}

/**
 * Asks a model of a job's chain once: `askChain` of the workflow decides about the next one.
 * @param place of the model in the chain, from 0: its attempts fence off those at the models before
 */
export async function askModel(
  { db, box, models }: Pick<ActivityResources, 'db' | 'box' | 'models'>,
  job: JobsTable,
  model: ChainModel,
  place: number,
  { step, max_characters, ...prompt }: JobQuestion,
  signal: AbortSignal,
) {
  const agent = await agentOf(db, job)
  // Keys of the version that names the model, so that no key is sent to another address.
  const secrets = agent ? await getAgentSecrets(db, box, agent.id, agent.version) : {}
  const { key_id, user_id } = job
  const call = {
    owner: { key_id, user_id, agent_id: agent?.id ?? null },
    step,
    fence: place * ATTEMPTS_A_MODEL + activityInfo().attempt,
    model,
    provider: models.open(model, secrets[model.key_path]),
    request: { model: model.model, ...prompt, tools: [], passages: [] },
    max_characters,
  }
  const { text, usage, finish_reason } = await callMetered(db, job.turn_id ?? job.id, call, signal)
  return { text, facts: { model: model.model, finish_reason, ...usage } }
}

/** In the agent version that the job's turn started with, or the current one. */
async function agentOf(db: Db, { agent_id, turn_id }: JobsTable) {
  if (agent_id === null) return undefined
  const turn = turn_id === null ? undefined : await findTurn(db, turn_id)
  if (!turn) return getAgentOrThrow(db, agent_id)
  // It ended before the orchestrator had chosen.
  if (turn.agent_id === AUTO) return undefined
  const { agent_id: id, agent_version: version } = turn
  return { id, version, ...(await getAgentVersion(db, id, version)) }
}

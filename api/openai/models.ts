// Agents as OpenAI's models: each agent is one, `auto` is the orchestrator.
import { MuxiError } from '../../contracts/failures.ts'
import { shorten } from '../../contracts/shorten.ts'
import { AUTO } from '../../contracts/routing.ts'
import { findAgent, listModels } from '../../db/queries/agents.ts'
import type { Db } from '../../db/schema.ts'

interface Model {
  id: string
  object: 'model'
  /** In seconds. */
  created: number
  owned_by: 'muxi'
}

function modelOf({ id, created_at }: { id: string; created_at: string }): Model {
  return { id, object: 'model', created: secondsOf(created_at), owned_by: 'muxi' }
}

/** The orchestrator is no row: it is there since the beginning. */
const ORCHESTRATOR: Model = { id: AUTO, object: 'model', created: 0, owned_by: 'muxi' }

export async function viewModels(db: Db): Promise<{ object: 'list'; data: Model[] }> {
  return { object: 'list', data: [ORCHESTRATOR, ...(await listModels(db)).map(modelOf)] }
}

/** @throws MuxiError not_found */
export async function viewModel(db: Db, id: string): Promise<Model> {
  if (id === AUTO) return ORCHESTRATOR
  const agent = await findAgent(db, id)
  if (!agent) throw noModel(id)
  return modelOf(agent)
}

export function noModel(id: string): MuxiError {
  return new MuxiError('not_found', `Cannot find model '${shorten(id)}': it must be the id of an agent, or '${AUTO}'`, {
    details: { openai_code: 'model_not_found', fields: [{ path: 'model', expected: 'the id of an agent' }] },
  })
}

export function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1_000)
}

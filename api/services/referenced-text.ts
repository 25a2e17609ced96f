// The text behind a reference in workflow history: a message, a model's output, a tool call, a document, recalled passages.
import { getToolCallOrThrow, findStep } from '../../db/queries/steps.ts'
import { findJob } from '../../db/queries/jobs.ts'
import { findRecall } from '../../db/queries/recalls.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { ApiContext } from './context.ts'

/** The text that a payload refers to; undefined when it does not exist or the key may not read it. */
export async function referencedText(
  { storage: { db } }: ApiContext,
  principal: Principal,
  value: unknown,
): Promise<unknown> {
  if (value === null || typeof value !== 'object') return undefined
  const { turn_id, call_id, step, job_id, passages } = value as Record<string, unknown>
  if (typeof job_id === 'string') {
    const job = await findJob(db, job_id)
    return maySee(principal, job) ? { file: job.name } : undefined
  }
  if (typeof turn_id !== 'string') return undefined
  if (!maySee(principal, await findTurn(db, turn_id))) return undefined
  if (typeof call_id === 'string') {
    const call = await getToolCallOrThrow(db, turn_id, call_id).catch(() => undefined)
    return call && { arguments: call.arguments, output: call.output }
  }
  if (typeof step === 'number') {
    const said = await findStep(db, turn_id, step)
    return said && { said: said.content }
  }
  if (typeof passages === 'number') {
    const recalled = await findRecall(db, turn_id)
    return recalled && { recalled: recalled.map(({ document, page, content }) => ({ document, page, content })) }
  }
  const messages = await db.selectFrom('messages').select(['role', 'content']).where('turn_id', '=', turn_id).execute()
  return Object.fromEntries(messages.map(({ role, content }) => [role, content]))
}

function maySee<T extends { user_id: string }>(principal: Principal, thing: T | undefined): thing is T {
  return thing !== undefined && (principal.bound_user === undefined || principal.bound_user === thing.user_id)
}

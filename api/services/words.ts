// The words behind a reference in workflow history: a message, what a model said in a step, a tool call.
import { getToolCallOrThrow, findStep } from '../../db/queries/steps.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { ApiContext } from './context.ts'

/** What a payload refers to, or undefined when it refers to nothing that is there and may be seen. */
export async function wordsOf({ storage: { db } }: ApiContext, principal: Principal, value: unknown): Promise<unknown> {
  if (value === null || typeof value !== 'object') return undefined
  const { turn_id, call_id, step } = value as Record<string, unknown>
  if (typeof turn_id !== 'string') return undefined
  const turn = await findTurn(db, turn_id)
  if (!turn || (principal.bound_user !== undefined && principal.bound_user !== turn.user_id)) return undefined
  if (typeof call_id === 'string') {
    const call = await getToolCallOrThrow(db, turn_id, call_id).catch(() => undefined)
    return call && { arguments: call.arguments, output: call.output }
  }
  if (typeof step === 'number') {
    const said = await findStep(db, turn_id, step)
    return said && { said: said.content }
  }
  const messages = await db.selectFrom('messages').select(['role', 'content']).where('turn_id', '=', turn_id).execute()
  return Object.fromEntries(messages.map(({ role, content }) => [role, content]))
}

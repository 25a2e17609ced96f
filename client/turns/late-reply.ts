// The reply of a turn that takes longer than an answer is waited for, loaded when there is one.
import type { CallOptions, Http } from '../http.ts'
import { Turn } from './turn.ts'
import type { Approval, ChatRequest, Reply, TurnRecord } from '../types.ts'

/** Waits for the end of the turn, or until it needs an approval. @returns the reply, and what it waits for */
export async function lateReply(
  http: Http,
  id: string,
  { content }: ChatRequest,
  call: Pick<CallOptions, 'signal' | 'headers'>,
): Promise<[Reply, Approval[]]> {
  const turn = Turn.resume(http, id, call)
  const read = () => http.json<TurnRecord>('GET', `/turns/${id}`, call)
  let record: TurnRecord | undefined
  for await (const _ of turn) {
    if (turn.message.status !== 'awaiting_approval') continue
    record = await read()
    // It may have been decided since.
    if (record.status === 'awaiting_approval') break
  }
  record ??= await read()
  if (record.status !== 'awaiting_approval') record = await read()
  const { message, approvals, turn_id, agent_id, user_id, conversation_id, status, created_at } = record
  const ids = { id: turn.message.id, turn_id, agent_id, user_id, conversation_id }
  const user_message = { role: 'user' as const, content }
  const usage = { input_tokens: 0, output_tokens: 0 }
  return [
    message ?? { ...ids, status, user_message, usage, created_at },
    approvals.filter((each) => each.status === 'waiting'),
  ]
}

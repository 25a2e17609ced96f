// Turns of the tests, inserted and ended as the API and the activities do it.
import type { FinalStatus } from '../../contracts/turn.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import { finishTurn, type TurnEnd } from '../../db/queries/turn-ends.ts'
import { admit } from '../../db/queries/admission.ts'
import { addAccepted } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn, type NewTurn } from '../../db/queries/turns.ts'
import type { UsageStart } from '../../db/queries/usage.ts'
import type { Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'

export const inTx = <T>({ db }: Pick<Storage, 'db'>, work: (tx: Tx) => Promise<T>) => db.transaction().execute(work)

export function aTurn(conversationId: string, more: Partial<NewTurn> = {}): NewTurn {
  return {
    turn_id: newId('turn'),
    user_message_id: newId('msg'),
    message_id: newId('msg'),
    conversation_id: conversationId,
    agent_id: 'agent',
    agent_version: 1,
    user_id: 'user',
    key_id: 'key_1',
    on_busy: 'queue',
    content: 'Hello',
    attachments: [],
    response_schema: undefined,
    ...more,
  }
}

/** A request of the turn's first step, before it is sent. */
export function aRequest(streamId: string, more: Partial<UsageStart> = {}): UsageStart {
  return {
    stream_id: streamId,
    step: 1,
    fence: 1,
    provider: 'p',
    model: 'm',
    input_tokens: 10,
    key_id: 'key_1',
    user_id: 'user',
    agent_id: 'agent',
    reserved_tokens: 0,
    reserved_cost_usd: null,
    ...more,
  }
}

/** Inserts a turn: active when the conversation has no active one, otherwise waiting. */
export async function insert(
  storage: Pick<Storage, 'db'>,
  conversationId: string,
  more?: Partial<NewTurn>,
): Promise<string> {
  const turn = aTurn(conversationId, more)
  const { turn_id, user_id } = turn
  await inTx(storage, async (tx) => {
    const admission = await admit(tx, { conversation_id: conversationId, user_id, key_id: turn.key_id ?? '' })
    const isActive = admission?.active_turn_id === undefined
    await insertTurn(tx, turn, isActive ? 'active' : 'waiting')
    if (!isActive) await addAccepted(tx, turn_id, turn)
  })
  return turn_id
}

/** Ends a turn. @returns what that leaves to be done, or undefined when it was over already */
export async function end(
  storage: Storage,
  turnId: string,
  status: FinalStatus,
  error?: ErrorBody,
  ...was: Parameters<typeof finishTurn>[2][]
): Promise<TurnEnd | undefined> {
  const { conversation_id } = (await findTurn(storage.db, turnId))!
  return inTx(storage, (tx) => finishTurn(tx, { turn_id: turnId, conversation_id, status, error }, ...was))
}

// What a user and an agent have said to each other: list it, clear it.
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { deleteConversation, listConversations } from '../../db/queries/conversations.ts'
import { findTurnOfMessage, listExchanges } from '../../db/queries/exchanges.ts'
import { findUnfinishedOf } from '../../db/queries/turn-queue.ts'
import type { ApiContext } from './context.ts'
import { viewReply } from './turns.ts'

/** Conversations that one transaction deletes. */
const BATCH = 100

interface Owner {
  agent_id: string
  user_id: string
}

/** Newest first. @throws MuxiError not_found when `before` is no message of the user */
export async function pageOfExchanges(
  context: ApiContext,
  { limit, before, ...filter }: Owner & { conversation_id?: string; before?: string; limit: number },
) {
  const { db } = context.storage
  const turn = before === undefined ? undefined : await findTurnOfMessage(db, filter.user_id, before)
  if (before !== undefined && turn === undefined) throw notFound('message', before)
  const turns = await listExchanges(db, { ...filter, before: turn, limit: limit + 1 })
  const messages = []
  for (const each of turns.slice(0, limit)) {
    const { usage: _usage, routing_confidence: _confidence, ...exchange } = await viewReply(context, each)
    messages.push(exchange)
  }
  return { messages, has_more: turns.length > limit }
}

/**
 * Deletes all conversations of a user with an agent, archived ones too.
 * @returns how many messages they had
 * @throws MuxiError conflict when a turn runs
 */
export async function clearConversations({ storage: { db }, vectors }: ApiContext, owner: Owner): Promise<number> {
  let count = 0
  for (;;) {
    const conversations = await listConversations(db, { ...owner, limit: BATCH })
    const deleted = await db.transaction().execute(async (tx) => {
      // In one order, so that two requests do not deadlock.
      const ids = conversations.map(({ id }) => id).toSorted()
      for (const id of ids) {
        const turn = await findUnfinishedOf(tx, id)
        if (turn !== undefined)
          throw new MuxiError('conflict', `Cannot clear the conversations: turn '${turn}' in '${id}' is running`)
      }
      const all = []
      for (const id of ids) all.push(await deleteConversation(tx, id))
      return all
    })
    for (const { messages, documents } of deleted) {
      count += messages
      for (const document of documents) await vectors.discard(document)
    }
    if (conversations.length < BATCH) return count
  }
}

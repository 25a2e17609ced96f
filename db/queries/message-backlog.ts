// Notes messages from before the full-text index in it, newest first, in short transactions behind a stored position.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Db, Tx } from '../schema.ts'

/** Messages per transaction, which must stay short. */
const PAGE = 500

/** Goes on until all are noted, the time is over, or another process is at it. */
export async function noteOldMessages(db: Db, { ms, signal }: { ms: number; signal?: AbortSignal }): Promise<void> {
  const until = performance.now() + ms
  while (await db.transaction().execute(notePage)) {
    if (performance.now() >= until || signal?.aborted) return
    await yieldToEventLoop()
  }
}

/** @returns whether there may be more */
async function notePage(tx: Tx): Promise<boolean> {
  const backlog = await tx.selectFrom('message_backlog').select('before_id').forUpdate().skipLocked().executeTakeFirst()
  if (!backlog) return false
  const page = await tx
    .selectFrom('messages')
    .select(['id', 'conversation_id'])
    .where('id', '<', backlog.before_id)
    .orderBy('id', 'desc')
    .limit(PAGE)
    // Against a concurrent deletion, whose trigger would not see the new row.
    .forKeyShare()
    .execute()
  const oldest = page.at(-1)
  if (!oldest) {
    await tx.deleteFrom('message_backlog').execute()
    return false
  }
  const conversations = await tx
    .selectFrom('conversations')
    .select(['id', 'user_id'])
    .where('id', 'in', [...new Set(page.map(({ conversation_id }) => conversation_id))])
    .where('hidden_in', 'is', null)
    .execute()
  const owners = new Map(conversations.map(({ id, user_id }) => [id, user_id]))
  const { least } = await tx
    .selectFrom('message_index')
    .select(({ fn }) => fn.min('id').as('least'))
    .executeTakeFirstOrThrow()
  let id = Math.min(0, least ?? 0)
  const rows = page.flatMap(({ id: message_id, conversation_id }) => {
    const user_id = owners.get(conversation_id)
    return user_id === undefined ? [] : [{ id: --id, message_id, user_id }]
  })
  if (rows.length > 0)
    await tx
      .insertInto('message_index')
      .values(rows)
      .onConflict((c) => c.column('message_id').doNothing())
      .execute()
  await tx.updateTable('message_backlog').set({ before_id: oldest.id }).execute()
  return true
}

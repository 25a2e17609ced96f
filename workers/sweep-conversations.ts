// Deletes conversations that requests have brought themselves and that no list shows, after the time for which the execution log is kept.
import type { Logger } from 'pino'
import { deleteConversation } from '../db/queries/conversations.ts'
import { isIdle, listOwnConversations } from '../db/queries/own-conversations.ts'
import type { Storage } from '../db/storage.ts'
import type { VectorStore } from '../vectors/store.ts'

const PAGE = 100
const DAY_MS = 86_400_000

interface Options {
  storage: Pick<Storage, 'db'>
  vectors: Pick<VectorStore, 'discard'>
  log: Logger
}

/** One pass. @param days how long they are kept */
export async function sweepConversations(
  { storage: { db }, vectors, log }: Options,
  days: number,
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(Date.now() - days * DAY_MS).toISOString()
  let removed = 0
  let after = ''
  for (;;) {
    const ids = await listOwnConversations(db, before, PAGE, after)
    for (const id of ids) {
      if (signal.aborted) return
      const deleted = await db
        .transaction()
        .execute(async (tx) => ((await isIdle(tx, id)) ? deleteConversation(tx, id) : undefined))
      // Vectors last: what an interruption leaves is without rows, and found by no search.
      for (const document of deleted?.documents ?? []) await vectors.discard(document)
      removed += deleted ? 1 : 0
    }
    const last = ids.at(-1)
    if (last === undefined) break
    after = last
  }
  if (removed > 0) log.info({ conversations: removed }, 'removed conversations that requests had brought')
}

// Starts the writing of memory again where it was lost: the process that ended a turn may die before it has notified Temporal.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { workflowId } from '../contracts/temporal.ts'
import { listWaitingConversations } from '../db/queries/memory-outbox.ts'
import type { Storage } from '../db/storage.ts'
import { isOpen } from './engine.ts'
import type { StartMemory } from './memory-starter.ts'

const PAGE = 100

interface Options {
  client: Client
  storage: Pick<Storage, 'db'>
  startMemory: StartMemory
  log: Logger
}

/** One pass over the conversations with turns that ended before a moment. */
export async function sweepMemory(
  { client, storage, startMemory, log }: Options,
  before: string,
  signal: AbortSignal,
): Promise<void> {
  let after = ''
  for (;;) {
    const waiting = await listWaitingConversations(storage.db, before, PAGE, after)
    for (const filled of waiting) {
      signal.throwIfAborted()
      const { conversation_id } = filled
      // It retries by itself, and reads the outbox until it is empty.
      if (await isOpen(client, workflowId.writeMemory(conversation_id))) continue
      await startMemory(filled)
      log.warn({ conversation_id }, 'swept a conversation: its memory is written')
    }
    const last = waiting.at(-1)
    if (!last) return
    after = last.conversation_id
  }
}

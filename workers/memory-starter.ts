// Starts the workflow that remembers what was said in a conversation, or signals the running one: the one function for the activity
// that has ended a turn, the API and the sweeper.
import type { Client } from '@temporalio/client'
import type { Storage } from '../db/storage.ts'
import type { writeMemory } from '../workflows/index.ts'
import { memoryStart } from '../workflows/labels.ts'
import { outboxFilled } from '../workflows/messages.ts'

/** A conversation whose outbox has rows. */
export interface FilledOutbox {
  conversation_id: string
  agent_id: string
  user_id: string
}

export type StartMemory = (filled: FilledOutbox) => Promise<void>

export function memoryStarter(client: Client, { box }: Pick<Storage, 'box'>): StartMemory {
  return async ({ conversation_id, agent_id, user_id }) => {
    const start = memoryStart({ conversation_id, agent_id, user_hash: box.pseudonym(user_id) })
    await client.workflow.signalWithStart<typeof writeMemory>('writeMemory', {
      ...start,
      signal: outboxFilled,
      signalArgs: [],
    })
  }
}

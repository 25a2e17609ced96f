// Memory: what was said, its outbox, and what is known about users.
import type { Generated } from 'kysely'

/** A message that is remembered for its user and agent. Its text is the message's; its passages are a document of the index under the same id. */
export interface MemoriesTable {
  id: string
  agent_id: string
  user_id: string
  conversation_id: string
  message_id: string
  role: 'user' | 'assistant'
  said_at: string
}

/** A turn that has ended and whose messages are still to be remembered; written by the transaction that ends the turn. */
export interface MemoryOutboxTable {
  turn_id: string
  conversation_id: string
  agent_id: string
  user_id: string
  user_message_id: string
  message_id: string
  created_at: string
  /** When a worker began to index its messages: from then on there may be passages in the index. */
  claimed_at: string | null
  /** 1: its messages were deleted meanwhile; the worker that drains the row removes its passages. */
  forgotten: Generated<number>
}

/** What is known about a user. */
export interface ContextMemoriesTable {
  user_id: string
  /** JSON object. */
  knowledge: string
  /** JSON object: where each field came from, by its dotted path. */
  sources: string
  updated_at: string
}

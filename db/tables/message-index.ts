// Which messages the full-text search knows; rows are inserted and deleted by triggers on `messages`.
import type { Generated } from 'kysely'

/** One row a message of a conversation that lists show. Its words are in a dialect-specific table, under the same id. */
export interface MessageIndexTable {
  /** Ascending in time: those of messages from before the index are negative. */
  id: Generated<number>
  message_id: string
  user_id: string
  /** 0 until its words are in the index. */
  indexed: Generated<number>
}

/** One row until the messages from before the index are in it: those from this id on are. */
export interface MessageBacklogTable {
  before_id: string
}

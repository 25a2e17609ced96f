// What was said in a conversation and what its turns did, oldest first, for downloads.
import type { Db, MessagesTable, ToolCallsTable, TurnsTable } from '../schema.ts'
import type { ApprovalRow } from './approvals.ts'

export interface ExportedMessage {
  message: MessagesTable
  /** Of a user's message. */
  turn: TurnsTable | undefined
  calls: ToolCallsTable[]
  approvals: ApprovalRow[]
}

/** Messages after one, each user's message with its turn. */
export async function listExported(
  db: Db,
  conversationId: string,
  limit: number,
  after: string | undefined,
): Promise<ExportedMessage[]> {
  const messages = await db
    .selectFrom('messages')
    .selectAll()
    .where('conversation_id', '=', conversationId)
    .where('id', '>', after ?? '')
    .orderBy('id')
    .limit(limit)
    .execute()
  const ids = messages.filter(({ role }) => role === 'user').map(({ turn_id }) => turn_id)
  const of = ['', ...ids]
  const turns = await db.selectFrom('turns').selectAll().where('id', 'in', of).execute()
  const calls = await db
    .selectFrom('tool_calls')
    .selectAll()
    .where('turn_id', 'in', of)
    .orderBy('step')
    .orderBy('position')
    .execute()
  const approvals = await db.selectFrom('approvals').selectAll().where('turn_id', 'in', of).orderBy('id').execute()
  return messages.map((message) => {
    const isOwn = ({ turn_id }: { turn_id: string }) => message.role === 'user' && turn_id === message.turn_id
    return {
      message,
      turn: message.role === 'user' ? turns.find(({ id }) => id === message.turn_id) : undefined,
      calls: calls.filter(isOwn),
      approvals: approvals.filter(isOwn),
    }
  })
}

// The conversation of a user and an agent for messages that name none.
import { newId } from '../../contracts/ids.ts'
import { compiled } from '../compiled.ts'
import type { Db, Tx } from '../schema.ts'

const selectDefault = compiled<{ default_for: string }, { id: string }>((db, parameter) =>
  db.selectFrom('conversations').select('id').where('default_for', '=', parameter('default_for')),
)

/** The id of the conversation of (user, agent) for messages that name none. */
export async function findDefaultConversation(db: Db | Tx, agentId: string, userId: string) {
  const { rows } = await selectDefault(db, { default_for: `${userId}/${agentId}` })
  return rows[0]?.id
}

/** The id of the conversation of (user, agent) for messages that name none; created when there is none yet. */
export async function ensureDefaultConversation(db: Db | Tx, agentId: string, userId: string): Promise<string> {
  const found = await findDefaultConversation(db, agentId, userId)
  if (found !== undefined) return found
  await db
    .insertInto('conversations')
    .values({
      id: newId('conv'),
      agent_id: agentId,
      user_id: userId,
      default_for: `${userId}/${agentId}`,
      created_at: new Date().toISOString(),
    })
    .onConflict((oc) => oc.column('default_for').doNothing())
    .execute()
  return (await findDefaultConversation(db, agentId, userId))!
}

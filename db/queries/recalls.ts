// What was recalled for turns.
import type { RecalledMemory } from '../../contracts/memory.ts'
import { recallMemories, recallPassages, type Passage } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'

export type { Passage }

/** The recalled passages of a turn; undefined before its recall. */
export async function findRecall(db: Db, turnId: string): Promise<Passage[] | undefined> {
  const row = await db.selectFrom('recalls').select('passages').where('turn_id', '=', turnId).executeTakeFirst()
  return row && parseColumn(recallPassages, row.passages, turnId)
}

export interface Recall {
  passages: Passage[]
  memories: RecalledMemory[]
  about_user: Record<string, unknown> | undefined
}

/** Takes what was said in a conversation out of the recalls of the user's other turns. */
export async function forgetRecalled(tx: Tx, userId: string, conversationId: string): Promise<void> {
  const rows = await tx
    .selectFrom('recalls')
    .innerJoin('turns', 'turns.id', 'recalls.turn_id')
    .select(['turn_id', 'memories'])
    .where('user_id', '=', userId)
    .where('memories', 'like', `%"${conversationId}"%`)
    .orderBy('turn_id')
    .forUpdate('recalls')
    .execute()
  for (const { turn_id, memories } of rows) {
    const kept = parseColumn(recallMemories, memories, turn_id)?.filter(
      (each) => each.conversation_id !== conversationId,
    )
    await tx
      .updateTable('recalls')
      .set({ memories: JSON.stringify(kept ?? []) })
      .where('turn_id', '=', turn_id)
      .execute()
  }
}

/** The first stored result is kept: every attempt of every step uses the same. */
export async function storeRecall(tx: Tx, turn_id: string, { passages, memories, about_user }: Recall): Promise<void> {
  const row = {
    turn_id,
    passages: JSON.stringify(passages),
    memories: JSON.stringify(await withoutDeleted(tx, memories)),
    about_user: about_user === undefined ? null : JSON.stringify(about_user),
    created_at: new Date().toISOString(),
  }
  await tx
    .insertInto('recalls')
    .values(row)
    .onConflict((oc) => oc.doNothing())
    .execute()
}

/** Without messages of conversations that were deleted since the search. */
async function withoutDeleted(tx: Tx, memories: RecalledMemory[]): Promise<RecalledMemory[]> {
  const ids = memories.flatMap(({ conversation_id }) => conversation_id ?? [])
  if (ids.length === 0) return memories
  const rows = await tx.selectFrom('conversations').select('id').where('id', 'in', ids).execute()
  const kept = new Set(rows.map(({ id }) => id))
  return memories.filter(({ conversation_id }) => conversation_id === undefined || kept.has(conversation_id))
}

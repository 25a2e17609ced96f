// What was recalled for turns.
import type { RecalledMemory } from '../../contracts/memory.ts'
import { recallPassages, type Passage } from '../columns.ts'
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

/** The first stored result is kept: every attempt of every step uses the same. */
export async function storeRecall(tx: Tx, turn_id: string, { passages, memories, about_user }: Recall): Promise<void> {
  const row = {
    turn_id,
    passages: JSON.stringify(passages),
    memories: JSON.stringify(memories),
    about_user: about_user === undefined ? null : JSON.stringify(about_user),
    created_at: new Date().toISOString(),
  }
  await tx
    .insertInto('recalls')
    .values(row)
    .onConflict((oc) => oc.doNothing())
    .execute()
}

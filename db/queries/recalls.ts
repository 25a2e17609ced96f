// The recalled passages of turns.
import { recallPassages, type Passage } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'

export type { Passage }

/** The recalled passages of a turn; undefined before its recall. */
export async function findRecall(db: Db, turnId: string): Promise<Passage[] | undefined> {
  const row = await db.selectFrom('recalls').select('passages').where('turn_id', '=', turnId).executeTakeFirst()
  return row && parseColumn(recallPassages, row.passages, turnId)
}

/** The first stored result is kept: every attempt of every step uses the same passages. */
export async function storeRecall(tx: Tx, turnId: string, passages: Passage[]): Promise<void> {
  await tx
    .insertInto('recalls')
    .values({ turn_id: turnId, passages: JSON.stringify(passages), created_at: new Date().toISOString() })
    .onConflict((oc) => oc.doNothing())
    .execute()
}

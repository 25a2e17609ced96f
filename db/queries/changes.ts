// Changes for the live feed: the end of their retention. They are written by triggers and read by ChangeReader.
import type { Db, Tx } from '../schema.ts'

/** Readers are a second behind. */
const KEPT_MS = 300_000

/** Deletes changes past their retention. The newest one stays: readers begin after it. */
export async function deleteOldChanges(db: Db): Promise<void> {
  const newest = db.selectFrom('changes').select((eb) => eb.fn.max('id').as('id'))
  await db
    .deleteFrom('changes')
    .where('created_at', '<', new Date(Date.now() - KEPT_MS).toISOString())
    .where('id', '<', newest)
    .execute()
}

/** The changes stay for those who read them, with ids only. */
export async function forgetChangesOf(tx: Tx, userId: string): Promise<void> {
  await tx.updateTable('changes').set({ user_id: null }).where('user_id', '=', userId).execute()
}

// Changes for the live feed: the newest, and the end of their retention. They are written by triggers and read by ChangeReader.
import { compiled } from '../compiled.ts'
import type { Db, Tx } from '../schema.ts'

/** Readers are a second behind. */
const KEPT_MS = 300_000

const selectNewest = compiled<object, { id: number | null }>((db) =>
  db.selectFrom('changes').select((eb) => eb.fn.max<number | null>('id').as('id')),
)

/** The id of the newest change that is visible: another one after any change of what lists show. */
export async function findNewestChange(db: Db): Promise<number | undefined> {
  return (await selectNewest(db, {})).rows[0]?.id ?? undefined
}

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

// When a turn was accepted: the client of a turn that never was got an error, and may use its Idempotency-Key again.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('turns').addColumn('accepted_at', 'text').execute()
  await db
    .updateTable('turns')
    .set((eb) => ({ accepted_at: eb.ref('created_at') }))
    .where('status', '<>', 'pending')
    .where((eb) => eb.or([eb('status', '<>', 'failed'), eb('started_at', 'is not', null)]))
    .execute()
}

// What the messages of turns brought that continue no conversation here.
import { sql } from 'kysely'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import type { Tx } from '../schema.ts'

export async function insertTurnRequest(tx: Tx, turn_id: string, request: CarriedRequest): Promise<void> {
  await tx
    .insertInto('turn_requests')
    .values({ turn_id, request: JSON.stringify(request) })
    .execute()
}

/** The value of `remembers` of a turn whose agent remembers: the caller keeps a conversation that it brings. */
export const unlessCarried = (remembers: boolean) =>
  sql<number>`case when exists (select 1 from turn_requests where turn_requests.turn_id = turns.id) then 0 else ${sql.lit(remembers ? 1 : 0)} end`

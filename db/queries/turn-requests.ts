// What the messages of turns brought that continue no conversation here.
import { sql } from 'kysely'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import { carriedRequest } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'

/** @param request the JSON of a `CarriedRequest` */
export async function insertTurnRequest(tx: Tx, turn_id: string, request: string): Promise<void> {
  await tx.insertInto('turn_requests').values({ turn_id, request }).execute()
}

/** What the messages of a conversation brought. */
export async function listTurnRequests(
  db: Db,
  conversationId: string,
): Promise<(CarriedRequest & { turn_id: string })[]> {
  const rows = await db
    .selectFrom('turn_requests')
    .innerJoin('turns', 'turns.id', 'turn_requests.turn_id')
    .select(['turn_requests.turn_id', 'turn_requests.request'])
    .where('turns.conversation_id', '=', conversationId)
    .orderBy('turns.id')
    .execute()
  return rows.map(({ turn_id, request }) => ({ turn_id, ...parseColumn(carriedRequest, request, turn_id) }))
}

/** The value of `remembers` of a turn whose agent remembers: the caller keeps a conversation that it brings. */
export const unlessCarried = (remembers: boolean) =>
  sql<number>`case when exists (select 1 from turn_requests where turn_requests.turn_id = turns.id) then 0 else ${sql.lit(remembers ? 1 : 0)} end`

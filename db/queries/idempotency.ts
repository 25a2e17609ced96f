// Results of requests with an Idempotency-Key, kept for a day.
import { MuxiError } from '../../contracts/failures.ts'
import { differencesOf } from '../dialect.ts'
import type { Db, Tx } from '../schema.ts'

/** How long an Idempotency-Key is remembered, in milliseconds. */
const IDEMPOTENCY_MS = 24 * 3_600_000

export interface IdempotentRequest {
  key_id: string
  route: string
  idempotency_key: string
  body_hash: string
}

/**
 * The id of an earlier result of the same request; concurrent requests with the same key wait until this transaction ends.
 * @throws MuxiError `conflict` when the key was used with another body
 */
export async function findIdempotent(tx: Tx, request: IdempotentRequest): Promise<string | undefined> {
  await differencesOf(tx).lockNames(tx, [`idempotency/${request.key_id}/${request.route}/${request.idempotency_key}`])
  const row = await tx
    .selectFrom('idempotency_keys')
    .select(['result_id', 'body_hash'])
    .where('key_id', '=', request.key_id)
    .where('route', '=', request.route)
    .where('idempotency_key', '=', request.idempotency_key)
    .where('created_at', '>', new Date(Date.now() - IDEMPOTENCY_MS).toISOString())
    .executeTakeFirst()
  if (row && row.body_hash !== request.body_hash)
    throw new MuxiError('conflict', "Cannot use this 'Idempotency-Key': it came with another body before")
  return row?.result_id
}

/** The id of a request's result, for any body. */
export async function findMade(
  db: Db,
  { key_id, route, idempotency_key }: Omit<IdempotentRequest, 'body_hash'>,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('idempotency_keys')
    .select('result_id')
    .where('key_id', '=', key_id)
    .where('route', '=', route)
    .where('idempotency_key', '=', idempotency_key)
    .executeTakeFirst()
  return row?.result_id
}

export async function insertIdempotent(tx: Tx, request: IdempotentRequest & { result_id: string }): Promise<void> {
  const row = { ...request, created_at: new Date().toISOString() }
  await tx
    .insertInto('idempotency_keys')
    .values(row)
    .onConflict((oc) => oc.columns(['key_id', 'route', 'idempotency_key']).doUpdateSet(row))
    .execute()
}

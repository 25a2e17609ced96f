// API keys, stored as a hash, and single-use tickets that authenticate in place of a key.
import { createHash, randomBytes } from 'node:crypto'
import type { BudgetLimits } from '../../contracts/budget.ts'
import { notFound } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import type { KeyRateLimits } from '../../contracts/rate-limits.ts'
import { SCOPES, type Scope } from '../../contracts/scopes.ts'
import { keyNetworks, keyRateLimits, keyScopes } from '../columns.ts'
import { compiled } from '../compiled.ts'
import { parseColumn } from '../json-column.ts'
import type { ApiKeysTable, Db, Tx } from '../schema.ts'
import { forgetSpending, setBudget } from './budgets.ts'

export { SCOPES, type Scope }

/** The id of the key that the first start creates: the same in every process, so that only one of them creates it. */
const FIRST_KEY = 'key_first'
/** Lifetime of a ticket, in milliseconds. */
const TICKET_MS = 60_000
/** Keys per lookup statement. */
const KEYS_A_READ = 1_000

/** The authenticated principal: the input of every owner check. */
export interface Principal {
  key_id: string
  /** Hash of the presented secret: a rotation changes it. Empty without authentication. */
  key_hash: string
  scopes: ReadonlySet<Scope>
  /** The user this key is bound to; undefined when it may act as any. */
  bound_user: string | undefined
  networks: readonly string[] | undefined
  /** In place of the operator's limits. */
  rate_limits?: KeyRateLimits | undefined
  /** The scope `admin` is missing because of the address. */
  outside?: boolean
}

export interface NewKey {
  name: string
  scopes: readonly Scope[]
  user_id?: string | undefined
  networks?: readonly string[] | undefined
  expires_at?: string | undefined
  rate_limits?: KeyRateLimits | undefined
  /** Its own daily budget, in place of the operator's default. */
  budget?: BudgetLimits | undefined
}

export interface KeyView {
  id: string
  name: string
  scopes: Scope[]
  user_id: string | null
  networks: string[] | null
  rate_limits: KeyRateLimits | null
  created_at: string
  expires_at: string | null
  last_used_at: string | null
}

function newSecret(): string {
  return `sk_muxi_${randomBytes(24).toString('base64url')}`
}

/** What is stored of a secret. */
export function hashKey(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Creates a key. `secret` is the only copy of the plain secret. */
export async function createKey(db: Db, key: NewKey, secret = newSecret()): Promise<{ key: KeyView; secret: string }> {
  const row = toRow(newId('key'), key, secret)
  await db.transaction().execute(async (tx) => {
    await tx.insertInto('api_keys').values(row).execute()
    if (key.budget) await setBudget(tx, { kind: 'key', id: row.id }, key.budget)
  })
  return { key: toView(row), secret }
}

/** Creates a key when there is none yet. @returns its secret, unless another process was faster */
export async function createFirstKey(db: Db, key: NewKey): Promise<string | undefined> {
  if ((await countKeys(db)) > 0) return undefined
  const secret = newSecret()
  const made = await db
    .insertInto('api_keys')
    .values(toRow(FIRST_KEY, key, secret))
    .onConflict((oc) => oc.column('id').doNothing())
    .executeTakeFirst()
  return (made.numInsertedOrUpdatedRows ?? 0n) > 0n ? secret : undefined
}

/** A key as it is stored. */
export function toRow(id: string, key: NewKey, secret: string) {
  return {
    id,
    name: key.name,
    hash: hashKey(secret),
    scopes: JSON.stringify(key.scopes),
    user_id: key.user_id ?? null,
    networks: key.networks ? JSON.stringify(key.networks) : null,
    rate_limits: key.rate_limits ? JSON.stringify(key.rate_limits) : null,
    created_at: new Date().toISOString(),
    expires_at: key.expires_at ?? null,
    last_used_at: null,
  }
}

/** The key behind a secret, unless it is unknown or has expired. */
export function findPrincipal(db: Db, secret: string): Promise<Principal | undefined> {
  return findPrincipalByHash(db, hashKey(secret))
}

/** The key behind the hash of a secret, unless it was deleted, rotated past its grace, or has expired. */
export async function findPrincipalByHash(db: Db, hash: string): Promise<Principal | undefined> {
  const [row] = (await selectByHash(db, { hash })).rows
  return row && toPrincipal(row)
}

const selectByHash = compiled<{ hash: string }, ApiKeysTable>((db, parameter) =>
  db.selectFrom('api_keys').selectAll().where('hash', '=', parameter('hash')),
)

/** The hashes whose keys `findPrincipalByHash` would still find. */
export async function findValidHashes(db: Db, hashes: readonly string[]): Promise<Set<string>> {
  const valid = new Set<string>()
  for (let at = 0; at < hashes.length; at += KEYS_A_READ) {
    const rows = await db
      .selectFrom('api_keys')
      .select('hash')
      .where('hash', 'in', hashes.slice(at, at + KEYS_A_READ))
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', new Date().toISOString())]))
      .execute()
    for (const { hash } of rows) valid.add(hash)
  }
  return valid
}

function toPrincipal(row: ApiKeysTable): Principal | undefined {
  if (row.expires_at !== null && row.expires_at <= new Date().toISOString()) return undefined
  return {
    key_id: row.alias_of ?? row.id,
    key_hash: row.hash,
    scopes: new Set(parseColumn(keyScopes, row.scopes, row.id)),
    bound_user: row.user_id ?? undefined,
    networks: parseColumn(keyNetworks, row.networks, row.id),
    rate_limits: parseColumn(keyRateLimits, row.rate_limits, row.id),
  }
}

export async function countKeys(db: Db): Promise<number> {
  const { n } = await db
    .selectFrom('api_keys')
    .select((eb) => eb.fn.countAll().as('n'))
    .executeTakeFirstOrThrow()
  return Number(n)
}

export async function listKeys(db: Db, limit: number, cursor: string | undefined): Promise<KeyView[]> {
  let query = db.selectFrom('api_keys').selectAll().where('alias_of', 'is', null).orderBy('id', 'desc').limit(limit)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  return (await query.execute()).map(toView)
}

/** Gives the key a new secret; those before stay valid for the grace period, at most. */
export async function rotateKey(db: Db, id: string, graceSeconds: number): Promise<{ key: KeyView; secret: string }> {
  const secret = newSecret()
  const row = await db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('api_keys')
      .selectAll()
      .where('id', '=', id)
      .where('alias_of', 'is', null)
      .forUpdate()
      .executeTakeFirst()
    if (!row) throw notFound('key', id)
    await tx
      .updateTable('api_keys')
      .set({ hash: hashKey(secret) })
      .where('id', '=', id)
      .execute()
    const end = new Date(Date.now() + graceSeconds * 1_000).toISOString()
    if (graceSeconds === 0) {
      await tx.deleteFrom('api_keys').where('alias_of', '=', id).execute()
      return row
    }
    // Earlier secrets end with this one, at the latest.
    const earlier = tx.updateTable('api_keys').set({ expires_at: end }).where('alias_of', '=', id)
    await earlier.where('expires_at', '>', end).execute()
    const expires_at = row.expires_at !== null && row.expires_at < end ? row.expires_at : end
    await tx
      .insertInto('api_keys')
      .values({ ...row, id: newId('key'), alias_of: id, expires_at })
      .execute()
    return row
  })
  return { key: toView(row), secret }
}

/** Keeps the key until the transaction ends. @throws MuxiError not_found */
export async function lockKey(tx: Tx, id: string): Promise<void> {
  const keys = tx.selectFrom('api_keys').select('id').where('id', '=', id).where('alias_of', 'is', null)
  if (!(await keys.forUpdate().executeTakeFirst())) throw notFound('key', id)
}

export async function deleteKey(db: Db, id: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    if (!(await removeKey(tx, id))) throw notFound('key', id)
  })
}

/** Removes a key with its previous secrets and what it has spent. @returns whether there was one */
export async function removeKey(tx: Tx, id: string): Promise<boolean> {
  const removed = await tx.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst()
  // After the key itself: a concurrent rotation has written its old secret by now.
  await tx.deleteFrom('api_keys').where('alias_of', '=', id).execute()
  if (removed.numDeletedRows === 0n) return false
  await forgetSpending(tx, 'key', [id])
  return true
}

/** Records that keys were used. */
export async function touchKeys(db: Db, ids: readonly string[]): Promise<void> {
  const last_used_at = new Date().toISOString()
  await db
    .updateTable('api_keys')
    .set({ last_used_at })
    .where('id', 'in', ['', ...ids])
    .execute()
}

/** Creates a ticket for a secret of a key: valid once, for a minute. */
export async function createTicket(db: Db, keyHash: string): Promise<{ ticket: string; expires_at: string }> {
  const ticket = randomBytes(24).toString('base64url')
  const expires_at = new Date(Date.now() + TICKET_MS).toISOString()
  await db.deleteFrom('tickets').where('expires_at', '<', new Date().toISOString()).execute()
  await db
    .insertInto('tickets')
    .values({ hash: hashKey(ticket), key_hash: keyHash, expires_at })
    .execute()
  return { ticket, expires_at }
}

/** Redeems a ticket. @returns its key */
export async function redeemTicket(db: Db, ticket: string): Promise<Principal | undefined> {
  const row = await db.deleteFrom('tickets').where('hash', '=', hashKey(ticket)).returningAll().executeTakeFirst()
  if (!row || row.expires_at < new Date().toISOString()) return undefined
  return findPrincipalByHash(db, row.key_hash)
}

function toView(row: Omit<ApiKeysTable, 'alias_of'>): KeyView {
  return {
    id: row.id,
    name: row.name,
    scopes: parseColumn(keyScopes, row.scopes, row.id),
    user_id: row.user_id,
    networks: parseColumn(keyNetworks, row.networks, row.id) ?? null,
    rate_limits: parseColumn(keyRateLimits, row.rate_limits, row.id) ?? null,
    created_at: row.created_at,
    expires_at: row.expires_at,
    last_used_at: row.last_used_at,
  }
}

// Authorization: the one place that checks keys, scopes, networks and owners.
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { Networks } from '../../contracts/networks.ts'
import {
  findPrincipalByHash,
  hashKey,
  redeemTicket,
  SCOPES,
  type Principal,
  type Scope,
} from '../../db/queries/keys.ts'
import type { Db } from '../../db/schema.ts'
import type { KeyCache } from './key-cache.ts'

interface Access {
  storage: { db: Db }
  keys: KeyCache
  /** Where the scope `admin` may be used; undefined: everywhere. */
  adminNetworks: Networks | undefined
}

/** The user that a request acts as when neither it nor its key names one. */
const DEFAULT_USER = 'default'

/** The principal when authentication is off. */
export const ANYBODY: Principal = {
  key_id: 'none',
  key_hash: '',
  scopes: new Set(SCOPES),
  bound_user: undefined,
  networks: undefined,
}

/**
 * The principal of a request's key, if the key is valid and allowed from the address. @throws MuxiError unauthorized,
 * forbidden
 */
export async function authenticate(
  context: Access,
  secret: string | undefined,
  address: string | undefined,
): Promise<Principal> {
  const principal = secret === undefined ? undefined : await context.keys.find(hashKey(secret))
  if (!principal) throw unauthorized()
  return fromHere(context, principal, address)
}

export function unauthorized(): MuxiError {
  return new MuxiError('unauthorized', "Cannot authenticate: 'Authorization' must be 'Bearer' and a valid key")
}

/** Redeems a ticket. @returns its principal @throws MuxiError unauthorized, forbidden */
export async function authenticateTicket(
  context: Access,
  ticket: string,
  address: string | undefined,
): Promise<Principal> {
  const principal = await redeemTicket(context.storage.db, ticket)
  if (principal) return fromHere(context, principal, address)
  throw new MuxiError(
    'unauthorized',
    'Cannot authenticate: the ticket must be a fresh one from POST /api/v1/ws/tickets, of a key that is still valid',
  )
}

/** The principal of a session, by the hash of the key's secret. @throws MuxiError unauthorized, forbidden */
export async function authenticateSession(
  context: Access,
  keyHash: string | undefined,
  address: string | undefined,
): Promise<Principal> {
  const principal = keyHash === undefined ? undefined : await findPrincipalByHash(context.storage.db, keyHash)
  if (principal) return fromHere(context, principal, address)
  throw new MuxiError('unauthorized', 'Cannot show this: open it from the web page, which signs you in with its key')
}

/** @throws MuxiError forbidden when the key may not be used from the address */
function fromHere(context: Access, principal: Principal, address: string | undefined): Principal {
  if (principal.networks && !new Networks(principal.networks).has(address))
    throw new MuxiError('forbidden', 'Cannot use this key from this network address')
  return withinAdminNetworks(context, principal, address)
}

/** Outside of the networks of administrators a key has every other scope of it. */
function withinAdminNetworks({ adminNetworks }: Access, principal: Principal, address: string | undefined): Principal {
  if (!adminNetworks || !principal.scopes.has('admin') || adminNetworks.has(address)) return principal
  return { ...principal, scopes: new Set(SCOPES.filter((scope) => scope !== 'admin')), outside: true }
}

/** The principal without authentication. */
export function anybody(context: Access, address: string | undefined): Principal {
  return withinAdminNetworks(context, ANYBODY, address)
}

/** @throws MuxiError forbidden when the key has none of the scopes */
export function authorize(principal: Principal, ...scopes: [Scope, ...Scope[]]): void {
  if (principal.scopes.has('admin') || scopes.some((scope) => principal.scopes.has(scope))) return
  if (principal.outside)
    throw new MuxiError('forbidden', "Cannot do this from this network address: 'MUXI_ADMIN_NETWORKS' must contain it")
  const names = scopes.map((scope) => `'${scope}'`).join(' or ')
  throw new MuxiError('forbidden', `Cannot do this: the key must have the scope ${names}`)
}

/** The user a request acts as. @throws MuxiError forbidden when the key is bound to another */
export function actingUser(principal: Principal, requested: string | undefined): string {
  if (principal.bound_user === undefined) return requested ?? DEFAULT_USER
  if (requested !== undefined && requested !== principal.bound_user) {
    throw new MuxiError('forbidden', 'Cannot act as this user: the key is bound to another one')
  }
  return principal.bound_user
}

/** For lists: the user to filter by; undefined for all users. */
export function visibleUser(principal: Principal, requested: string | undefined): string | undefined {
  return principal.bound_user === undefined ? requested : actingUser(principal, requested)
}

/** A user that the key may act as; another one is reported as not found. @throws MuxiError not_found */
export function ownUser(principal: Principal, id: string): string {
  if (principal.bound_user !== undefined && principal.bound_user !== id) throw notFound('user', id)
  return id
}

/** The row, if it exists and the key may access its user; another user's row is reported as not found. */
export function ownedOrThrow<T extends { user_id: string }>(
  principal: Principal,
  thing: T | undefined,
  what: string,
  id: string,
): T {
  if (!thing || (principal.bound_user !== undefined && principal.bound_user !== thing.user_id)) throw notFound(what, id)
  return thing
}

// Authorization: the one place that checks keys, scopes, networks and owners.
import { BlockList, isIP } from 'node:net'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import {
  findPrincipal,
  findPrincipalByHash,
  redeemTicket,
  SCOPES,
  type Principal,
  type Scope,
} from '../../db/queries/keys.ts'
import type { Db } from '../../db/schema.ts'

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
  db: Db,
  secret: string | undefined,
  address: string | undefined,
): Promise<Principal> {
  const principal = secret === undefined ? undefined : await findPrincipal(db, secret)
  if (!principal) throw unauthorized()
  return fromHere(principal, address)
}

export function unauthorized(): MuxiError {
  return new MuxiError('unauthorized', "Cannot authenticate: 'Authorization' must be 'Bearer' and a valid key")
}

/** Redeems a ticket. @returns its principal @throws MuxiError unauthorized, forbidden */
export async function authenticateTicket(db: Db, ticket: string, address: string | undefined): Promise<Principal> {
  const principal = await redeemTicket(db, ticket)
  if (principal) return fromHere(principal, address)
  throw new MuxiError(
    'unauthorized',
    'Cannot authenticate: the ticket must be a fresh one from POST /api/v1/ws/tickets, of a key that is still valid',
  )
}

/** The principal of a session, by the hash of the key's secret. @throws MuxiError unauthorized, forbidden */
export async function authenticateSession(
  db: Db,
  keyHash: string | undefined,
  address: string | undefined,
): Promise<Principal> {
  const principal = keyHash === undefined ? undefined : await findPrincipalByHash(db, keyHash)
  if (principal) return fromHere(principal, address)
  throw new MuxiError('unauthorized', 'Cannot show this: open it from the web page, which signs you in with its key')
}

/** @throws MuxiError forbidden when the key may not be used from the address */
function fromHere(principal: Principal, address: string | undefined): Principal {
  if (!principal.networks || isWithin(address, principal.networks)) return principal
  throw new MuxiError('forbidden', 'Cannot use this key from this network address')
}

/** @throws MuxiError forbidden when the key has none of the scopes */
export function authorize(principal: Principal, ...scopes: [Scope, ...Scope[]]): void {
  if (principal.scopes.has('admin') || scopes.some((scope) => principal.scopes.has(scope))) return
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

function isWithin(address: string | undefined, networks: readonly string[]): boolean {
  if (address === undefined) return false
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', bits] = network.split('/')
    const family = isIP(base) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(base, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

/** Whether a text is an IP address or a CIDR block, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [base = '', bits, ...rest] = text.split('/')
  const family = isIP(base)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}

// Who may do what: the one place where keys, scopes, networks and owners are looked at.
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

/** Who asks when authentication is off. */
export const ANYBODY: Principal = {
  key_id: 'none',
  key_hash: '',
  scopes: new Set(SCOPES),
  bound_user: undefined,
  networks: undefined,
}

/** The key that a request shows, if it is one of ours and used from where it may be. @throws MuxiError unauthorized, forbidden */
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

/** Uses a ticket up. @returns the key it stood for @throws MuxiError unauthorized, forbidden */
export async function authenticateTicket(db: Db, ticket: string, address: string | undefined): Promise<Principal> {
  const principal = await redeemTicket(db, ticket)
  if (principal) return fromHere(principal, address)
  throw new MuxiError(
    'unauthorized',
    'Cannot authenticate: the ticket must be a fresh one from POST /api/v1/ws/tickets, of a key that is still valid',
  )
}

/** The key that began a session, by the hash of its secret. @throws MuxiError unauthorized, forbidden */
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

/** For lists: the user whose things are shown; undefined for everybody's. */
export function visibleUser(principal: Principal, requested: string | undefined): string | undefined {
  return principal.bound_user === undefined ? requested : actingUser(principal, requested)
}

/** The thing, if it is there and the key may see its user's things; another user's looks as if it were not there. */
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

/** Whether a text is an address or a block of addresses, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [base = '', bits, ...rest] = text.split('/')
  const family = isIP(base)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}

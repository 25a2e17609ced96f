// Keys, scopes, networks and owners.
import { describe, expect, test } from 'vitest'
import type { Principal, Scope } from '../../db/queries/keys.ts'
import { isNetwork } from '../../contracts/networks.ts'
import { actingUser, authorize, ownedOrThrow, visibleUser } from '../../api/services/access.ts'

const key = (scopes: Scope[], bound_user?: string): Principal => ({
  key_id: 'key_1',
  key_hash: 'hash',
  scopes: new Set(scopes),
  bound_user,
  networks: undefined,
})

describe('authorize()', () => {
  test('allows a key the actions of its scope', () => expect(() => authorize(key(['chat']), 'chat')).not.toThrow())
  test('lets admin do everything', () => expect(() => authorize(key(['admin']), 'manage')).not.toThrow())
  test('one of several scopes is enough', () => {
    expect(() => authorize(key(['read']), 'chat', 'read')).not.toThrow()
    expect(() => authorize(key(['manage']), 'chat', 'read')).toThrow("'chat' or 'read'")
  })
  test('refuses everything else as forbidden', () =>
    expect(() => authorize(key(['chat', 'read']), 'manage')).toThrow(expect.objectContaining({ code: 'forbidden' })))
})

describe('actingUser()', () => {
  test('is the named user, or `default`', () => {
    expect(actingUser(key(['chat']), 'ada')).toBe('ada')
    expect(actingUser(key(['chat']), undefined)).toBe('default')
  })
  test('is always the user a key is bound to', () => {
    expect(actingUser(key(['chat'], 'ada'), undefined)).toBe('ada')
    expect(() => actingUser(key(['chat'], 'ada'), 'bob')).toThrow(expect.objectContaining({ code: 'forbidden' }))
  })
})

describe('ownedOrThrow()', () => {
  test("another user's row is not found", () => {
    const refusal = expect.objectContaining({ code: 'not_found' })
    expect(() => ownedOrThrow(key(['chat'], 'ada'), { user_id: 'bob' }, 'turn', 'turn_1')).toThrow(refusal)
    expect(() => ownedOrThrow(key(['chat'], 'ada'), undefined, 'turn', 'turn_1')).toThrow(refusal)
  })
  test("an unbound key sees the rows of all users, a bound one only its user's", () => {
    expect(ownedOrThrow(key(['chat']), { user_id: 'bob' }, 'turn', 'turn_1')).toEqual({ user_id: 'bob' })
    expect(visibleUser(key(['chat']), undefined)).toBeUndefined()
    expect(visibleUser(key(['chat'], 'ada'), undefined)).toBe('ada')
  })
})

test.each(['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8'])('%s is a network', (text) =>
  expect(isNetwork(text)).toBe(true),
)
test.each(['', 'example.org', '10.0.0.0/33', '::1/129', '1.2.3.4/8/9', '10.0.0/8'])('%j is none', (text) =>
  expect(isNetwork(text)).toBe(false),
)

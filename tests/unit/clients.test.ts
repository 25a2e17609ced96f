// The client of a request behind proxies, and networks.
import { describe, expect, it } from 'vitest'
import { Clients } from '../../api/clients.ts'
import { Networks, plainAddress } from '../../contracts/networks.ts'

describe('Networks', () => {
  it.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.0.0.1', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['2001:db8::/32', '2001:DB8:0:0::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
  ])('%s has %s: %s', (network, address, within) => expect(new Networks([network]).has(address)).toBe(within))

  it.each(['', 'localhost', '10.0.0', '10.0.0.1:80', undefined])('%j is in none', (text) => {
    expect(plainAddress(text)).toBe(undefined)
    expect(new Networks(['0.0.0.0/0', '::/0']).has(text)).toBe(false)
  })
})

describe('Clients', () => {
  const clients = new Clients(['10.0.0.0/8', '2001:db8::/64'])
  const addressOf = (peer: string, headers: Record<string, string>) => clients.of(peer, (name) => headers[name]).address

  it.each([
    ['from elsewhere nothing counts', '1.1.1.1', { 'x-forwarded-for': '2.2.2.2' }, '1.1.1.1'],
    ['from a proxy its client does', '10.0.0.1', { 'x-forwarded-for': '2.2.2.2' }, '2.2.2.2'],
    ['the rightmost untrusted one', '10.0.0.1', { 'x-forwarded-for': '9.9.9.9, 2.2.2.2, 10.0.0.2' }, '2.2.2.2'],
    ['trusted ones only: the first', '10.0.0.1', { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['no address: unknown', '10.0.0.1', { 'x-forwarded-for': '2.2.2.2, unknown' }, undefined],
    ['with a port', '10.0.0.1', { 'x-forwarded-for': '2.2.2.2:1234' }, '2.2.2.2'],
    ['an IPv6 peer in IPv4 form', '::ffff:10.0.0.1', { 'x-forwarded-for': '2001:db9::1' }, '2001:db9::1'],
    ['RFC 7239', '10.0.0.1', { forwarded: 'for=9.9.9.9, For="[2001:db9::1]:80";proto=https' }, '2001:db9::1'],
    ['hidden by RFC 7239', '10.0.0.1', { forwarded: 'for=_secret' }, undefined],
    ['two that agree', '10.0.0.1', { forwarded: 'for=2.2.2.2', 'x-forwarded-for': '2.2.2.2' }, '2.2.2.2'],
    ['two that do not: unknown', '10.0.0.1', { forwarded: 'for=2.2.2.2', 'x-forwarded-for': '3.3.3.3' }, undefined],
    [
      'one of them without an address',
      '10.0.0.1',
      { forwarded: 'proto=https', 'x-forwarded-for': '3.3.3.3' },
      undefined,
    ],
    ['none', '10.0.0.1', {}, '10.0.0.1'],
  ])('%s', (_, peer, headers, address) => expect(addressOf(peer, headers as Record<string, string>)).toBe(address))

  it('host and protocol count from a proxy only', () => {
    const headers: Record<string, string> = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'muxi.example' }
    expect(clients.of('10.0.0.1', (name) => headers[name])).toMatchObject({ proto: 'https', host: 'muxi.example' })
    expect(clients.of('1.1.1.1', (name) => headers[name])).toMatchObject({ proto: undefined, host: undefined })
    const forwarded = 'for=1.1.1.1;host="muxi.example";proto=HTTPS'
    expect(clients.of('10.0.0.1', (name) => (name === 'forwarded' ? forwarded : undefined))).toEqual({
      address: '1.1.1.1',
      host: 'muxi.example',
      proto: 'https',
    })
  })

  it('host and protocol come from the family of headers that names the client', () => {
    const headers: Record<string, string> = {
      forwarded: 'for=1.1.1.1;host=invented.example;proto=https',
      'x-forwarded-for': '1.1.1.1',
    }
    expect(clients.of('10.0.0.1', (name) => headers[name])).toEqual({
      address: '1.1.1.1',
      proto: undefined,
      host: undefined,
    })
  })
})

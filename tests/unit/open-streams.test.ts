// Open streams by key: their limits, and that they end with their key.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { OpenStreams } from '../../api/services/open-streams.ts'
import type { Principal } from '../../db/queries/keys.ts'

const key = (key_id: string, key_hash = `hash of ${key_id}`): Principal => ({
  key_id,
  key_hash,
  scopes: new Set(['chat']),
  bound_user: undefined,
  networks: undefined,
})

/** The registry of a process, and the hashes that are valid in its database. */
function open(limits = { streams_per_key: 3, streams: 5 }) {
  const valid = new Set<string>()
  const reads: string[][] = []
  const warnings: unknown[] = []
  const state = { away: false }
  const streams = new OpenStreams({
    limits,
    findValid: async (hashes) => {
      reads.push(hashes)
      if (state.away) throw new Error('the database is away')
      return new Set(hashes.filter((hash) => valid.has(hash)))
    },
    log: { warn: (...given: unknown[]) => warnings.push(given) },
  })
  return { streams, valid, reads, state, warnings }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('limits', () => {
  const refusal = (words: string) =>
    expect.objectContaining({ code: 'rate_limited', message: expect.stringContaining(words) })

  test('limits the open streams of a key, and closing one frees a slot', () => {
    const { streams } = open()
    const opened = [1, 2, 3].map(() => streams.open(key('a')))
    expect(() => streams.open(key('a'))).toThrow(refusal('this key has 3 open, and may have 3'))
    // An older secret of the key counts with it.
    expect(() => streams.open(key('a', 'old'))).toThrow(refusal('this key'))
    opened[0]!.close()
    opened[0]!.close()
    streams.open(key('a'))
    expect(() => streams.open(key('a'))).toThrow(refusal('this key'))
  })

  test('limits the open streams of all keys, without counting waiting requests', () => {
    const { streams } = open()
    for (const id of ['a', 'a', 'b', 'b', 'c']) streams.open(key(id))
    expect(() => streams.open(key('d'))).toThrow(refusal('the server has 5 open, and may have 5'))
    expect(streams.watch(key('d')).revoked.aborted).toBe(false)
  })
})

describe('memory', () => {
  test('a key without an open stream is forgotten, however many there were', async () => {
    const { streams } = open({ streams_per_key: 3, streams: 100 })
    for (let n = 0; n < 10_000; n += 1) {
      const [first, second] = [streams.open(key(`key_${n}`)), streams.open(key(`key_${n}`, `older ${n}`))]
      const waiting = streams.watch(key(`waiting_${n}`))
      if (n === 0) expect(streams.remembered).toBe(4)
      for (const stream of [second, first, waiting]) stream.close()
    }
    expect(streams.remembered).toBe(0)
    streams.open(key('revoked')).close()
    const open1 = streams.open(key('revoked'))
    await streams.check()
    expect(open1.revoked.aborted).toBe(true)
    open1.close()
    expect(streams.remembered).toBe(0)
  })
})

describe('revoking', () => {
  test('a key that another process deletes ends its streams within two seconds, and no others', async () => {
    const { streams, valid, reads } = open()
    valid.add('hash of a').add('old').add('hash of b')
    const [a, older, b] = [streams.open(key('a')), streams.open(key('a', 'old')), streams.open(key('b'))]
    await vi.advanceTimersByTimeAsync(10_000)
    expect([a, older, b].map(({ revoked }) => revoked.aborted)).toEqual([false, false, false])
    valid.delete('old')
    await vi.advanceTimersByTimeAsync(2_000)
    expect([a, older, b].map(({ revoked }) => revoked.aborted)).toEqual([false, true, false])
    // One statement a check, for every key once.
    expect(reads).toHaveLength(6)
    expect(reads[0]).toEqual(['hash of a', 'old', 'hash of b'])
  })

  test('check() sees what was deleted before the call, also while another check is running', async () => {
    const { streams, valid } = open()
    valid.add('hash of a')
    const { revoked } = streams.open(key('a'))
    const before = streams.check()
    valid.delete('hash of a')
    await Promise.all([before, streams.check()])
    expect(revoked.aborted).toBe(true)
  })

  test('without open streams, and without authentication, nothing is read', async () => {
    const { streams, valid, reads } = open()
    valid.add('hash of a')
    const { revoked } = streams.open(key('none', ''))
    streams.open(key('a')).close()
    await vi.advanceTimersByTimeAsync(10_000)
    expect([reads, revoked.aborted]).toEqual([[], false])
  })

  test('while the database is unavailable streams stay, and are checked again afterwards', async () => {
    const { streams, state, warnings } = open()
    state.away = true
    const { revoked } = streams.open(key('a'))
    await vi.advanceTimersByTimeAsync(4_000)
    expect([revoked.aborted, warnings.length]).toEqual([false, 2])
    state.away = false
    await vi.advanceTimersByTimeAsync(2_000)
    expect(revoked.aborted).toBe(true)
  })
})

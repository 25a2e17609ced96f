// The cache of keys: read once, and never used after this process has changed them.
import { expect, it, onTestFinished, vi } from 'vitest'
import { KeyCache } from '../../api/services/key-cache.ts'
import type { Principal } from '../../db/queries/keys.ts'

const key = { key_id: 'key_1' } as Principal

it('reads a key once within its time, and another process’s deletion after it', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const find = vi.fn(async (): Promise<Principal | undefined> => key)
  const keys = new KeyCache(find)
  for (let i = 0; i < 5; i += 1) expect(await keys.find('hash')).toBe(key)
  expect(find).toHaveBeenCalledTimes(1)
  find.mockResolvedValue(undefined)
  vi.advanceTimersByTime(1_000)
  expect(await keys.find('hash')).toBe(undefined)
})

it('forgets at once, also what is being read meanwhile', async () => {
  const reading = Promise.withResolvers<Principal | undefined>()
  const find = vi.fn(() => reading.promise)
  const keys = new KeyCache(find)
  const first = keys.find('hash')
  keys.forget()
  reading.resolve(key)
  expect(await first).toBe(key)
  find.mockResolvedValue(undefined)
  expect(await keys.find('hash')).toBe(undefined)
})

it('does not keep wrong keys', async () => {
  const find = vi.fn(async () => undefined)
  const keys = new KeyCache(find)
  await keys.find('wrong')
  await keys.find('wrong')
  expect(find).toHaveBeenCalledTimes(2)
})

// Buckets of requests on both databases: exact over several processes, refilled with time.
import { describe, expect, it } from 'vitest'
import type { RateLimit } from '../../contracts/rate-limits.ts'
import { unauthorized } from '../../api/services/access.ts'
import { RateLimiter } from '../../api/services/rate-limiter.ts'
import { deleteFullBuckets, takeRequests } from '../../db/queries/rate-limits.ts'
import { dialects } from '../support/dialects.ts'

const times = (n: number) => Array.from({ length: n }, (_, index) => index)
const principal = (key_id: string, bound_user?: string) => ({
  key_id,
  key_hash: 'h',
  scopes: new Set(['chat' as const]),
  bound_user,
  networks: undefined,
})

const wrongKey = (limiter: RateLimiter, address: string) =>
  limiter.authenticated(Promise.reject(unauthorized()), address)

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('lets exactly as many through as a bucket holds, over four processes', async () => {
      const database = await dialect.fresh()
      const processes = await Promise.all(times(4).map(() => database.open()))
      // One more comes every minute.
      const limit: RateLimit = { requests: 100, seconds: 6_000 }
      const now = Date.now()
      const taken = await Promise.all(
        times(1_000).map((n) => takeRequests(processes[n % 4]!.db, 'key/a/write', limit, 1, now)),
      )
      const allowed = taken.filter((each) => each.allowed)
      expect(allowed).toHaveLength(100)
      expect(allowed.map(({ remaining }) => remaining).toSorted((a, b) => a - b)).toEqual(times(100))
      const refused = taken.find((each) => !each.allowed)!
      expect(refused).toEqual({ allowed: false, remaining: 0, wait_ms: 60_000 })
    })

    it('refills with time, up to its limit, and buckets are independent', async () => {
      const { db } = await (await dialect.fresh()).open()
      const limit = { requests: 3, seconds: 30 }
      const now = Date.now()
      const take = async (seconds: number, count = 1, name = 'a') => {
        const { allowed, remaining, wait_ms } = await takeRequests(db, name, limit, count, now + seconds * 1_000)
        return [allowed, remaining, wait_ms / 1_000]
      }
      expect(await take(0, 3)).toEqual([true, 0, 30])
      expect(await take(4)).toEqual([false, 0, 6])
      expect(await take(0, 1, 'b')).toEqual([true, 2, 10])
      expect(await take(10)).toEqual([true, 0, 30])
      expect(await take(1_000)).toEqual([true, 2, 10])
      expect(await take(1_000, 4), 'more than a bucket holds').toEqual([false, 0, 30])
      expect(await deleteFullBuckets(db, now + 1_005_000)).toBe(1)
      expect(await deleteFullBuckets(db, now + 1_010_001)).toBe(1)
    })

    it.each([40, 100])('two quiet processes take little of a limit of %d reads from a third one', async (requests) => {
      const database = await dialect.fresh()
      const { db } = await database.open()
      const limits = { chat: undefined, write: undefined, read: { requests, seconds: 36_000 }, wrong_key: undefined }
      const limiters = times(3).map(() => new RateLimiter({ db, limits, pseudonym: (user) => user }))
      const reads = async (limiter: RateLimiter, most: number) => {
        let allowed = 0
        while (allowed < most && !(await limiter.admit(principal('one'), 'read')).refusal) allowed += 1
        return allowed
      }
      for (const quiet of limiters.slice(1)) expect(await reads(quiet, 1)).toBe(1)
      expect(2 + (await reads(limiters[0]!, requests))).toBeGreaterThanOrEqual(requests * 0.96)
    })

    it('leases of four busy processes let exactly as many reads through as the bucket holds', async () => {
      const database = await dialect.fresh()
      const storages = await Promise.all(times(4).map(() => database.open()))
      const limits = {
        chat: undefined,
        write: undefined,
        read: { requests: 1_000, seconds: 36_000_000 },
        wrong_key: undefined,
      }
      let statements = 0
      const limiters = storages.map(({ db }) => {
        const counting = db.withPlugin({
          transformQuery: ({ node }) => ((statements += 1), node),
          transformResult: async ({ result }) => result,
        })
        return new RateLimiter({ db: counting, limits, pseudonym: (user) => user })
      })
      const admitted: Awaited<ReturnType<RateLimiter['admit']>>[] = []
      for (let wave = 0; wave < 30; wave += 1)
        admitted.push(...(await Promise.all(times(40).map((n) => limiters[n % 4]!.admit(principal('one'), 'read')))))
      expect(admitted.filter(({ refusal }) => !refusal)).toHaveLength(1_000)
      const refused = admitted.find(({ refusal }) => refusal)!
      expect(refused.refusal).toMatchObject({ code: 'rate_limited' })
      // A lease for 20 reads; each refusal takes two statements, and a failed lease goes before it.
      expect(statements).toBeLessThan(50 + 200 * 4)
    })

    it('a key and the user it is bound to have a bucket each, and reads are leased', async () => {
      const { db } = await (await dialect.fresh()).open()
      const limits = {
        chat: { requests: 2, seconds: 3_600 },
        write: undefined,
        read: { requests: 100, seconds: 3_600 },
        wrong_key: { requests: 1, seconds: 3_600 },
      }
      const limiter = new RateLimiter({ db, limits, pseudonym: (user) => `hash of ${user}` })
      const other = new RateLimiter({ db, limits, pseudonym: (user) => `hash of ${user}` })
      expect(await limiter.admit(principal('one'), 'write')).toEqual({})
      const first = await limiter.admit(principal('one', 'anna'), 'chat')
      expect(first.headers).toEqual({ 'ratelimit-policy': '"chat";q=2;w=3600', ratelimit: '"chat";r=1;t=1800' })
      expect((await other.admit(principal('two', 'anna'), 'chat')).refusal).toBeUndefined()
      const third = await limiter.admit(principal('three', 'anna'), 'chat')
      expect(third.refusal).toMatchObject({ code: 'rate_limited', message: /this user may make 2 in 3600 s/ })
      expect(third.headers!.ratelimit).toMatch(/^"chat";r=0;t=1[78]\d\d$/)

      let reads = 0
      const tries = [limiter, other]
      for (let n = 0; n < 300; n += 1) if (!(await tries[n % 2]!.admit(principal('one'), 'read')).refusal) reads += 1
      expect(reads).toBe(100)
      const rows = await db.selectFrom('rate_limits').select('name').orderBy('name').execute()
      expect(rows.map(({ name }) => name)).toContain('user/hash of anna/chat')

      await expect(wrongKey(limiter, '10.0.0.1')).rejects.toMatchObject({ code: 'unauthorized' })
      await expect(wrongKey(other, '10.0.0.1')).rejects.toMatchObject({ code: 'rate_limited' })
      await expect(wrongKey(other, '10.0.0.2')).rejects.toMatchObject({ code: 'unauthorized' })
    })
  })
}

// Daily budgets on both databases: what is counted, what a check sees, and that parallel requests cannot pass it together.
import { sql } from 'kysely'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { viewSpending } from '../../api/services/spending.ts'
import { budgetExceeded, utcDay } from '../../contracts/budget.ts'
import { newId } from '../../contracts/ids.ts'
import { findExceeded, readBudget, setBudget, setDefaultBudgets, deleteBudget } from '../../db/queries/budgets.ts'
import { createKey, deleteKey, type Principal, type Scope } from '../../db/queries/keys.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { completeUsage, deleteUsage, insertUsage, reserveUsage } from '../../db/queries/usage.ts'
import { deleteRowsOf, forgetUsageOf } from '../../db/queries/users.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { watchStatements } from '../support/statements.ts'
import { aRequest, end, insert, inTx } from '../support/turn-rows.ts'

const dayBefore = (days: number) => utcDay(new Date(Date.now() - days * 86_400_000))
const [today, yesterday, lastMonth] = [dayBefore(0), dayBefore(1), dayBefore(31)] as const
const principal = (scope: Scope): Principal => ({
  key_id: 'key_0',
  key_hash: '',
  scopes: new Set([scope]),
  bound_user: undefined,
  networks: undefined,
})

const NO_LIMITS = { daily_tokens: null, daily_cost_usd: null }
const key = (id: string) => ({ kind: 'key' as const, id })
const user = (id: string) => ({ kind: 'user' as const, id })

for (const dialect of dialects) {
  describe(dialect.name, () => {
    const open = async () => (await dialect.fresh()).open()
    const spentBy = async ({ db }: TestStorage, id: string) => {
      const { spent, reserved } = await readBudget(db, key(id))
      return { ...spent, reserved }
    }

    it('counts a request as its reservation while it is in progress, and as what it came to after it', async () => {
      const storage = await open()
      const { db } = storage
      const id = await insertUsage(db, aRequest(newId('turn'), { reserved_tokens: 1_010, reserved_cost_usd: 0.5 }))
      expect(await spentBy(storage, 'key_1')).toEqual({
        requests: 1,
        tokens: 0,
        cost_usd: 0,
        reserved: { tokens: 1_010, cost_usd: 0.5 },
      })
      await completeUsage(db, id, { input_tokens: 11, output_tokens: 5, cost_usd: 0.25, estimated: false })
      const ended = { requests: 1, tokens: 16, cost_usd: 0.25, reserved: { tokens: 0, cost_usd: 0 } }
      expect(await spentBy(storage, 'key_1')).toEqual(ended)
      // What was completed before stays, and is counted once.
      await completeUsage(db, id, { input_tokens: 99, output_tokens: 99, estimated: false })
      expect(await spentBy(storage, 'key_1')).toEqual(ended)
      const { spent } = await readBudget(db, user('user'))
      expect(spent).toEqual({ requests: 1, tokens: 16, cost_usd: 0.25 })
      expect(await spentBy(storage, 'key_2')).toMatchObject({ requests: 0, tokens: 0 })
    })

    it('counts nothing of a request that was not sent', async () => {
      const storage = await open()
      const id = await insertUsage(storage.db, aRequest(newId('turn'), { reserved_tokens: 7 }))
      await deleteUsage(storage.db, id)
      expect(await spentBy(storage, 'key_1')).toMatchObject({ requests: 0, tokens: 0, reserved: { tokens: 0 } })
    })

    it('counts a lost request as estimated, at the end of its turn', async () => {
      const storage = await open()
      const { id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
      const turn = await insert(storage, id)
      await insertUsage(storage.db, aRequest(turn, { reserved_tokens: 1_010, reserved_cost_usd: 0.5 }))
      await end(storage, turn, 'failed')
      expect(await spentBy(storage, 'key_1')).toEqual({
        requests: 1,
        tokens: 10,
        cost_usd: 0.5,
        reserved: { tokens: 0, cost_usd: 0 },
      })
    })

    it('books a request on the day it was sent', async () => {
      const storage = await open()
      const id = await insertUsage(storage.db, aRequest(newId('turn'), { reserved_tokens: 7 }))
      await storage.db.deleteFrom('usage_days').execute()
      await storage.db.updateTable('model_usage').set({ created_at: '2026-01-31T23:59:59.999Z' }).execute()
      await completeUsage(storage.db, id, { input_tokens: 11, output_tokens: 5, estimated: false })
      const days = await storage.db.selectFrom('usage_days').select(['owner_kind', 'day', 'input_tokens']).execute()
      expect(days).toHaveLength(2)
      expect(days).toContainEqual({ owner_kind: 'key', day: '2026-01-31', input_tokens: 11 })
      expect(await spentBy(storage, 'key_1')).toMatchObject({ tokens: 0 })
    })

    it.each([
      ['tokens of the key', key('key_1'), { ...NO_LIMITS, daily_tokens: 10 }, { of: 'key', limit: 'daily_tokens' }],
      ['cost of the key', key('key_1'), { ...NO_LIMITS, daily_cost_usd: 0.1 }, { of: 'key', limit: 'daily_cost_usd' }],
      ['tokens of the user', user('user'), { ...NO_LIMITS, daily_tokens: 10 }, { of: 'user', limit: 'daily_tokens' }],
      [
        'cost of the user',
        user('user'),
        { ...NO_LIMITS, daily_cost_usd: 0.1 },
        { of: 'user', limit: 'daily_cost_usd' },
      ],
    ] as const)('finds the budget that is used up: %s', async (_, owner, limits, found) => {
      const { db } = await open()
      const owners = { key_id: 'key_1', user_id: 'user' }
      await setBudget(db, owner, limits)
      expect(await findExceeded(db, owners)).toBeUndefined()
      const id = await insertUsage(db, aRequest(newId('turn')))
      await completeUsage(db, id, { input_tokens: 6, output_tokens: 4, cost_usd: 0.1, estimated: false })
      expect(await findExceeded(db, owners)).toMatchObject(found)
      expect(await findExceeded(db, { key_id: 'key_2', user_id: 'other' })).toBeUndefined()
      await deleteBudget(db, owner)
      expect(await findExceeded(db, owners)).toBeUndefined()
    })

    it('applies the defaults to owners without a budget of their own', async () => {
      const { db } = await open()
      await setDefaultBudgets(db, {
        key: { ...NO_LIMITS, daily_tokens: 0 },
        user: { ...NO_LIMITS, daily_cost_usd: 0 },
      })
      const owners = { key_id: 'key_1', user_id: 'user' }
      expect(await findExceeded(db, owners)).toMatchObject({ of: 'key', limit: 'daily_tokens', limit_value: 0 })
      await setBudget(db, key('key_1'), NO_LIMITS)
      expect(await findExceeded(db, owners)).toMatchObject({ of: 'user', limit: 'daily_cost_usd' })
      expect(await readBudget(db, user('user'))).toMatchObject({ source: 'default', daily_cost_usd: 0 })
      await setDefaultBudgets(db, { key: NO_LIMITS, user: NO_LIMITS })
      expect(await findExceeded(db, owners)).toBeUndefined()
    })

    it('refuses a request whose input does not fit, and leaves no row of it', async () => {
      const storage = await open()
      await setBudget(storage.db, key('key_1'), { ...NO_LIMITS, daily_tokens: 100 })
      const reserve = (tokens: number) =>
        inTx(storage, (tx) => reserveUsage(tx, aRequest(newId('turn')), { tokens, cost_usd: 0 }))
      const { exceeded } = await reserve(101)
      expect(exceeded).toEqual({
        of: 'key',
        limit: 'daily_tokens',
        limit_value: 100,
        spent: 0,
        reserved: 0,
        needed: 101,
      })
      expect(budgetExceeded(exceeded!).message).toMatch(
        /^Cannot call a model: the daily budget of the key is 100 tokens, of which 0 are spent, and the call takes at least 101; it begins/,
      )
      expect(await storage.db.selectFrom('model_usage').select('id').execute()).toEqual([])
      expect(await reserve(100)).toMatchObject({ id: expect.any(String) })
    })

    it('lets one of ten parallel requests through a budget that has room for one', async () => {
      const database = await dialect.fresh()
      const processes = await Promise.all([database.open(), database.open()])
      await setBudget(processes[0].db, user('user'), { ...NO_LIMITS, daily_tokens: 1_000 })
      const requests = Array.from({ length: 10 }, (_, place) =>
        inTx(processes[place % 2]!, (tx) =>
          reserveUsage(tx, aRequest(newId('turn'), { key_id: `key_${place}`, reserved_tokens: 1_010 }), {
            tokens: 10,
            cost_usd: 0,
          }),
        ),
      )
      const answers = await Promise.all(requests)
      expect(answers.filter(({ exceeded }) => exceeded === undefined)).toHaveLength(1)
      const { reserved, spent } = await readBudget(processes[1].db, user('user'))
      expect({ reserved, requests: spent.requests }).toEqual({
        reserved: { tokens: 1_010, cost_usd: 0 },
        requests: 1,
      })
    })

    it('keeps the counters equal to the sums of the rows over requests of several keys and users', async () => {
      const storage = await open()
      const { db } = storage
      await Promise.all(
        Array.from({ length: 60 }, async (_, place) => {
          const start = aRequest(newId('turn'), {
            key_id: `key_${place % 3}`,
            user_id: `user_${place % 4}`,
            reserved_tokens: 100,
            reserved_cost_usd: 0.1,
          })
          const id = await insertUsage(db, start)
          if (place % 5 === 0) return deleteUsage(db, id)
          return completeUsage(db, id, { input_tokens: place, output_tokens: 1, cost_usd: 0.001, estimated: false })
        }),
      )
      for (const [kind, column] of [
        ['key', 'key_id'],
        ['user', 'user_id'],
      ] as const) {
        const sums = await db
          .selectFrom('model_usage')
          .select(({ fn }) => [
            `${column} as owner_id`,
            fn.countAll().as('requests'),
            fn.sum<number>('input_tokens').as('input_tokens'),
            fn.sum<number>('cost_usd').as('cost_usd'),
          ])
          .groupBy(column)
          .execute()
        for (const sum of sums) {
          const { spent } = await readBudget(db, { kind, id: sum.owner_id! })
          expect(spent).toMatchObject({ requests: Number(sum.requests) })
          expect(spent.tokens).toBe(Number(sum.input_tokens) + Number(sum.requests))
          expect(spent.cost_usd).toBeCloseTo(Number(sum.cost_usd), 8)
        }
      }
    })

    it('tells what was spent by day, user, key, agent and model, in pages', async () => {
      const { db } = await open()
      vi.useFakeTimers({ toFake: ['Date'] })
      onTestFinished(() => void vi.useRealTimers())
      for (const [place, day] of [lastMonth, yesterday, today, today].entries()) {
        vi.setSystemTime(`${day}T12:00:00.000Z`)
        const id = await insertUsage(
          db,
          aRequest(newId('turn'), {
            key_id: `key_${(3 - place) % 2}`,
            user_id: `user_${(3 - place) % 3}`,
            agent_id: place === 3 ? null : 'agent',
            model: `m${(3 - place) % 2}`,
          }),
        )
        await completeUsage(db, id, {
          input_tokens: 10 ** (3 - place),
          output_tokens: 1,
          cost_usd: 0.5,
          estimated: false,
        })
      }
      const reader = principal('read')
      const ask = async (query: Parameters<typeof viewSpending>[2], as = reader) => {
        const { usage } = await viewSpending(db, as, query)
        return usage.map(({ id, requests, input_tokens, cost_usd }) => [id, requests, input_tokens, cost_usd])
      }
      expect(await ask({})).toEqual([[today, 2, 11, 1]])
      expect(await ask({ period: 'last_7d' })).toEqual([
        [yesterday, 1, 100, 0.5],
        [today, 2, 11, 1],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'user' })).toEqual([
        ['user_0', 1, 1, 0.5],
        ['user_1', 1, 10, 0.5],
        ['user_2', 1, 100, 0.5],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'user', limit: 1, cursor: 'user_0' })).toEqual([
        ['user_1', 1, 10, 0.5],
        ['user_2', 1, 100, 0.5],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'key' })).toEqual([
        ['key_0', 2, 101, 1],
        ['key_1', 1, 10, 0.5],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'agent' })).toEqual([
        [null, 1, 1, 0.5],
        ['agent', 2, 110, 1],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'model' })).toEqual([
        ['p:m0', 2, 101, 1],
        ['p:m1', 1, 10, 0.5],
      ])
      expect(await ask({ period: 'last_7d', group_by: 'key', user_id: 'user_2' })).toEqual([['key_0', 1, 100, 0.5]])
      const bound = { ...principal('chat'), bound_user: 'user_1' }
      expect(await ask({ period: 'last_7d', group_by: 'user' }, bound)).toEqual([['user_1', 1, 10, 0.5]])
      expect(await ask({ period: 'last_7d', group_by: 'model' }, bound)).toEqual([['p:m1', 1, 10, 0.5]])
      expect(await ask({ period: 'last_7d' }, bound)).toEqual([[today, 1, 10, 0.5]])
      await expect(ask({ group_by: 'key' }, bound)).rejects.toMatchObject({ code: 'forbidden' })
      await expect(ask({ user_id: 'user_2' }, bound)).rejects.toMatchObject({ code: 'forbidden' })
      // Without a user of its own a chat key acts as the default user.
      expect(await ask({ group_by: 'user' }, principal('chat'))).toEqual([])
    })

    // SQLite has one writer at a time.
    it.runIf(dialect.name === 'postgres')(
      'a user is forgotten while its requests end, without a deadlock',
      async () => {
        const database = await dialect.fresh()
        const [one, two, three] = [await database.open(), await database.open(), await database.open()]
        const first = await insertUsage(one.db, aRequest(newId('turn')))
        const second = await insertUsage(one.db, aRequest(newId('turn')))
        const waits = (count: number) =>
          expect
            .poll(async () => {
              const { rows } = await sql`select pid from pg_stat_activity
              where wait_event_type = 'Lock' and datname = current_database()`.execute(one.db)
              return rows.length
            })
            .toBe(count)
        const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        onTestFinished(() => released.resolve())
        const holding = inTx(one, async (tx) => {
          await tx.selectFrom('model_usage').select('id').where('id', '=', first).forUpdate().execute()
          held.resolve()
          await released.promise
        })
        await held.promise
        const forgetting = inTx(two, (tx) => forgetUsageOf(tx, 'user'))
        await waits(1)
        const spent = { input_tokens: 1, output_tokens: 1, estimated: false }
        const ending = completeUsage(three.db, second, spent)
        const isOver = ending.then(() => true)
        await Promise.race([isOver, waits(2)])
        released.resolve()
        await Promise.all([holding, forgetting, ending])
        expect((await one.db.selectFrom('model_usage').select('user_id').execute()).map((row) => row.user_id)).toEqual([
          null,
          null,
        ])
        expect(await one.db.selectFrom('usage_days').select('owner_kind').execute()).toEqual([{ owner_kind: 'key' }])
      },
    )

    it('keys are deleted one by one while their user is, without a deadlock', async () => {
      const database = await dialect.fresh()
      const [one, two] = [await database.open(), await database.open()]
      const fields = {
        name: 'k',
        scopes: ['chat' as const],
        user_id: 'user',
        budget: { daily_tokens: 9, daily_cost_usd: 1 },
      }
      const ids: string[] = []
      for (let n = 0; n < 10; n += 1) ids.push((await createKey(one.db, fields)).key.id)
      for (const key_id of ids) await insertUsage(one.db, aRequest(newId('turn'), { key_id }))
      const deleted = ids.toReversed().map((id) => deleteKey(two.db, id))
      const forgotten = inTx(one, (tx) => deleteRowsOf(tx, 'user'))
      const outcomes = await Promise.allSettled([...deleted, forgotten])
      // A key that went with its user is not found.
      const failures = outcomes.flatMap((each) =>
        each.status === 'rejected' ? [each.reason as { code?: unknown }] : [],
      )
      expect(failures.map(({ code }) => code).filter((code) => code !== 'not_found')).toEqual([])
      expect(await one.db.selectFrom('api_keys').select('id').execute()).toEqual([])
      expect(await one.db.selectFrom('budgets').select('owner_id').execute()).toEqual([])
    })

    it('finds each row of a check by its primary key', async () => {
      const record = watchStatements()
      const { db } = await open()
      const { single } = await record(() => findExceeded(db, { key_id: 'key_1', user_id: 'user' }))
      expect(single).toHaveLength(1)
      const explain = dialect.name === 'sqlite' ? 'explain query plan' : 'explain (generic_plan)'
      if (dialect.name === 'postgres') await sql`set enable_seqscan = off`.execute(db)
      const { rows } = await sql<Record<string, string>>`${sql.raw(`${explain} ${single[0]}`)}`.execute(db)
      const plan = rows.map((row) => row['detail'] ?? row['QUERY PLAN']!)
      const found = plan.filter((line) =>
        /budgets_key|usage_days_key|sqlite_autoindex_(budgets|usage_days)_1/.test(line),
      )
      // Two owners, each with its limits, the defaults and today's counters.
      expect(found, plan.join('\n')).toHaveLength(6)
      expect(plan.filter((line) => /SCAN (own|every|today)\b|Seq Scan/.test(line))).toEqual([])
    })
  })
}

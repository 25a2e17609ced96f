// The live event log on both databases; two storages on one database stand for two processes.
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import type { NewEvent, StoredEvent } from '../../contracts/events.ts'
import { RefusedError, type EventLog } from '../../db/event-log.ts'
import { MAX_BUFFERED_TEXT, TextWriter } from '../../db/text-writer.ts'
import { addEvents, raiseFence, readAllEvents, readHead, type Writer } from '../../db/event-rows.ts'
import { untilDatabaseIsBack, type Storage } from '../../db/storage.ts'
import { dialects, type TestDialect } from '../support/dialects.ts'

const writer = (fence: number, scope = 'step_1'): Writer => ({ scope, fence })
const content = (text: string): NewEvent => ({ type: 'content', data: { content: text, step: 1 } })
const end: NewEvent = { type: 'cancelled', data: { id: 'msg_1' } }
const numbers = (events: StoredEvent[]) => events.map(({ id }) => id)
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

async function twoProcesses(dialect: TestDialect): Promise<[Storage, Storage]> {
  const database = await dialect.fresh()
  return [await database.open(), await database.open()]
}

/** Follows a stream to its end. @param collected what it has seen so far */
async function collect(
  events: EventLog,
  stream: string,
  after = 0,
  collected: StoredEvent[] = [],
): Promise<StoredEvent[]> {
  for await (const batch of events.follow(stream, after, AbortSignal.timeout(20_000))) collected.push(...batch)
  return collected
}

const append = ({ events }: Storage, text: string) => events.append('turn_1', undefined, [{ event: content(text) }])

/** Follows a stream; resolves when it has seen a first event, so that it waits for news from then on. */
async function follow(reader: Storage, from: Storage): Promise<{ seen: StoredEvent[]; all: Promise<StoredEvent[]> }> {
  const seen: StoredEvent[] = []
  const all = collect(reader.events, 'turn_1', 0, seen)
  await append(from, 'first')
  await expect.poll(() => seen.length, { interval: 5 }).toBe(1)
  return { seen, all }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('numbers events from 1 without gaps, for any number of writers', async () => {
      const [a, b] = await twoProcesses(dialect)
      const streams = ['turn_1', 'turn_2', 'turn_3']
      const writes = upTo(60).map((n) =>
        (n % 2 ? a : b).events.append(streams[n % 3]!, undefined, [{ event: content(`${n}`) }]),
      )
      await Promise.all(writes)
      for (const stream of streams) expect(numbers(await readAllEvents(a.db, stream))).toEqual(upTo(20))
      expect(await readHead(b.db, 'turn_1')).toEqual({ head: 20, ended: false })
    })

    it("keeps the order of one writer's events", async () => {
      const [a, b] = await twoProcesses(dialect)
      const following = collect(b.events, 'turn_1')
      await a.events.begin('turn_1', writer(1))
      for (const n of upTo(50)) void a.events.append('turn_1', writer(1), [{ event: content(`${n} `) }])
      await a.events.append('turn_1', undefined, [{ event: end }])
      const said = (await following).map((event) => (event.type === 'content' ? event.data.content : '')).join('')
      expect(said).toBe(
        upTo(50)
          .map((n) => `${n} `)
          .join(''),
      )
    })

    it('lets only the newest attempt write', async () => {
      const [a, b] = await twoProcesses(dialect)
      expect(await a.events.begin('turn_1', writer(1))).toEqual({ hadText: false })
      await a.events.append('turn_1', writer(1), [{ event: content('old') }])
      expect(await b.events.begin('turn_1', writer(2))).toEqual({ hadText: true })
      await expect(a.events.append('turn_1', writer(1), [{ event: content('late') }])).rejects.toMatchObject({
        refusal: 'fenced',
      })
      expect(await a.events.begin('turn_1', writer(1))).toBeUndefined()
      expect(await a.events.begin('turn_1', writer(2))).toBeUndefined()
      await b.events.append('turn_1', writer(2), [{ event: content('new') }])
      // Nor may one that has never begun.
      await expect(a.events.append('turn_1', writer(1, 'call_1_1'), [])).rejects.toBeInstanceOf(RefusedError)
      expect(numbers(await readAllEvents(a.db, 'turn_1'))).toEqual([1, 2])
    })

    it('accepts exactly one of many concurrent attempts with the same number', async () => {
      const [a, b] = await twoProcesses(dialect)
      const begun = await Promise.all(upTo(10).map((n) => (n % 2 ? a : b).events.begin('turn_1', writer(1))))
      expect(begun.filter(Boolean)).toHaveLength(1)
    })

    it('never commits text of a superseded attempt', async () => {
      const [a, b] = await twoProcesses(dialect)
      await a.events.begin('turn_1', writer(1))
      let refused = 0
      const writing = (async () => {
        for (let n = 0; refused === 0 && n < 10_000; n += 1) {
          await a.events.append('turn_1', writer(1), [{ event: content('1') }]).catch(() => (refused += 1))
        }
      })()
      await expect.poll(async () => (await readHead(b.db, 'turn_1')).head, { interval: 5 }).toBeGreaterThan(2)
      await b.db.transaction().execute(async (tx) => {
        await raiseFence(tx, 'turn_1', writer(2))
        await addEvents(tx, 'turn_1', writer(2), [
          { event: { type: 'content_reset', data: { step: 1, reason: 'retry', content: '' } } },
        ])
      })
      await writing
      expect(refused).toBe(1)
      expect((await readAllEvents(a.db, 'turn_1')).at(-1)?.type).toBe('content_reset')
    })

    it('stores an event with a dedupe key once, also for concurrent writers', async () => {
      const [a, b] = await twoProcesses(dialect)
      const add = (storage: Storage) =>
        storage.events.append('turn_1', undefined, [
          { event: content('x'), key: 'k' },
          { event: content('y'), key: 'k' },
        ])
      const added = await Promise.all([add(a), add(b), add(a), add(b)])
      expect(added.flat()).toHaveLength(1)
      expect(numbers(await readAllEvents(a.db, 'turn_1'))).toEqual([1])
    })

    it('refuses events after the end, also in the same group commit', async () => {
      const [a, b] = await twoProcesses(dialect)
      const outcomes = await Promise.allSettled([
        a.events.append('turn_1', undefined, [{ event: content('x') }]),
        a.events.append('turn_1', undefined, [{ event: end }]),
        a.events.append('turn_1', undefined, [{ event: content('y') }]),
      ])
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      await expect(b.events.append('turn_1', undefined, [{ event: end }])).rejects.toMatchObject({ refusal: 'ended' })
      expect(await readHead(b.db, 'turn_1')).toEqual({ head: 2, ended: true })
    })

    it('refuses one writer of a group without harm to the others', async () => {
      const [a] = await twoProcesses(dialect)
      await a.events.begin('turn_1', writer(2))
      await a.events.begin('turn_2', writer(1))
      const outcomes = await Promise.allSettled([
        a.events.append('turn_1', writer(1), [{ event: content('fenced') }]),
        a.events.append('turn_2', writer(1), [{ event: content('fine') }]),
        a.events.append('turn_1', writer(2), [{ event: content('fine') }]),
      ])
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
      expect(numbers(await readAllEvents(a.db, 'turn_1'))).toEqual([1])
    })

    it('is followed from any number, in the process that writes and in another one', async () => {
      const [a, b] = await twoProcesses(dialect)
      for (const n of upTo(3)) await append(a, `${n}`)
      const followers = [a, b].flatMap(({ events }) =>
        [0, 1, 3, 5].map((after) => {
          const seen: StoredEvent[] = []
          return { after, seen, all: collect(events, 'turn_1', after, seen) }
        }),
      )
      /** Resolves when every follower has seen what there is, and waits for more. */
      const seenUpTo = (head: number) =>
        expect
          .poll(() => followers.map(({ seen }) => seen.length), { interval: 5 })
          .toEqual(followers.map(({ after }) => Math.max(0, head - after)))
      await seenUpTo(3)
      for (const n of upTo(20)) {
        await append(a, `${n}`)
        if (n % 5 === 0) await seenUpTo(n + 3)
      }
      await a.events.append('turn_1', undefined, [{ event: end }])
      for (const { after, all } of followers) expect(numbers(await all)).toEqual(upTo(24).slice(after))
    })

    it('notifies another process of events that were committed outside of the log', async () => {
      const [a, b] = await twoProcesses(dialect)
      const { all } = await follow(b, a)
      await a.db.transaction().execute((tx) => addEvents(tx, 'turn_1', undefined, [{ event: content('x') }]))
      await a.db.transaction().execute((tx) => addEvents(tx, 'turn_1', undefined, [{ event: end }]))
      expect(numbers(await all)).toEqual([1, 2, 3])
    })

    it('shows events soon to a reader in another process', async () => {
      const [a, b] = await twoProcesses(dialect)
      const stop = new AbortController()
      const seen: number[] = []
      const following = (async () => {
        for await (const batch of b.events.follow('turn_1', 0, stop.signal))
          for (const _ of batch) seen.push(performance.now())
      })()
      await append(a, 'first')
      while (seen.length < 1) await sleep(1)
      const lags: number[] = []
      for (const n of upTo(10)) {
        const at = performance.now()
        await append(a, 'x')
        while (seen.length < n + 1) await sleep(1)
        lags.push(seen.at(-1)! - at)
      }
      stop.abort()
      await following
      // The fastest: the others say how busy the machine is.
      expect(Math.min(...lags)).toBeLessThan(250)
    })

    it('merges text that arrives within a batch interval into one event', async () => {
      const [a] = await twoProcesses(dialect)
      await a.events.begin('turn_1', writer(1))
      const text = new TextWriter(a.events, 'turn_1', writer(1), 1)
      for (const n of upTo(500)) await text.write(`${n} `)
      await text.flush()
      const events = await readAllEvents(a.db, 'turn_1')
      expect(events.map((event) => (event.type === 'content' ? event.data.content : '')).join('')).toBe(
        upTo(500)
          .map((n) => `${n} `)
          .join(''),
      )
      expect(events.length).toBeLessThan(20)
    })

    it('applies backpressure to a writer that is faster than the database', async () => {
      const [a, b] = await twoProcesses(dialect)
      await a.events.begin('turn_1', writer(1))
      const text = new TextWriter(a.events, 'turn_1', writer(1), 1)
      const piece = 'x'.repeat(MAX_BUFFERED_TEXT)
      let written = 0
      const write = () => text.write(piece).then(() => (written += 1))
      const writing = await b.db.transaction().execute(async (tx) => {
        // While the stream is locked, nothing can be committed.
        await addEvents(tx, 'turn_2', undefined, [{ event: content('x') }])
        await raiseFence(tx, 'turn_1', writer(1))
        const writing = [write(), write()]
        for (let n = 0; n < 10; n += 1) await turn()
        expect(written).toBe(1)
        return writing
      })
      await Promise.all(writing)
      await text.flush()
      const events = await readAllEvents(a.db, 'turn_1')
      expect(events.reduce((sum, event) => sum + (event.type === 'content' ? event.data.content.length : 0), 0)).toBe(
        piece.length * 2,
      )
    })

    it('notifies a writer of text that it is superseded', async () => {
      const [a, b] = await twoProcesses(dialect)
      await a.events.begin('turn_1', writer(1))
      const text = new TextWriter(a.events, 'turn_1', writer(1), 1)
      await text.write('one')
      await text.flush()
      await b.events.begin('turn_1', writer(2))
      await text.write('two')
      await expect(text.flush()).rejects.toBeInstanceOf(RefusedError)
      expect(text.failed.aborted).toBe(true)
    })

    it('serves rows to a reader that lags behind the ring in memory', async () => {
      const [a, b] = await twoProcesses(dialect)
      const slow = [a, b].map(({ events }) => events.follow('turn_1', 0, AbortSignal.timeout(20_000)))
      await a.events.append('turn_1', undefined, [{ event: content('first') }])
      const seen = await Promise.all(slow.map(async (each) => [...(await each.next()).value!]))
      for (let n = 0; n < 3_000; n += 300) {
        await a.events.append(
          'turn_1',
          undefined,
          upTo(300).map(() => ({ event: content('x') })),
        )
      }
      await a.events.append('turn_1', undefined, [{ event: end }])
      // Both processes have heard of all of it.
      for (const { events } of [a, b]) expect(numbers(await collect(events, 'turn_1', 3_001))).toEqual([3_002])
      for (const [index, each] of slow.entries()) for await (const batch of each) seen[index]!.push(...batch)
      for (const events of seen) expect(numbers(events)).toEqual(upTo(3_002))
    })

    it('delivers commits in order that are published out of order', async () => {
      const [a] = await twoProcesses(dialect)
      const { all } = await follow(a, a)
      const commit = (event: NewEvent) =>
        a.db.transaction().execute((tx) => addEvents(tx, 'turn_1', undefined, [{ event }]))
      const first = await commit(content('1'))
      const second = await commit(content('2'))
      for (const added of [second, first]) if ('events' in added) a.events.publish('turn_1', added.events)
      await a.events.append('turn_1', undefined, [{ event: end }])
      expect(numbers(await all)).toEqual([1, 2, 3, 4])
    })

    it('stops following on abort, and commits pending events on close', async () => {
      const [a, b] = await twoProcesses(dialect)
      const stop = new AbortController()
      let seen = 0
      const following = (async () => {
        for await (const batch of a.events.follow('turn_1', 0, stop.signal)) seen += batch.length
      })()
      await append(a, 'first')
      await expect.poll(() => seen, { interval: 5 }).toBe(1)
      stop.abort()
      await following
      void append(a, 'last')
      await a.close()
      expect(numbers(await readAllEvents(b.db, 'turn_1'))).toEqual([1, 2])
    })

    it('wakes some of many readers in each iteration of the event loop, whichever process has committed', async () => {
      const [a, b] = await twoProcesses(dialect)
      await append(a, 'first')
      let count = 0
      const reading = upTo(200).map(async () => {
        for await (const batch of b.events.follow('turn_1', 0, AbortSignal.timeout(20_000))) count += batch.length
      })
      await expect.poll(() => count, { interval: 5 }).toBe(200)
      for (const [index, from] of [a, b, b].entries()) {
        if (index === 2) await from.events.append('turn_1', undefined, [{ event: end }])
        else await append(from, 'more')
        let most = 0
        while (count < 200 * (index + 2)) {
          const before = count
          await turn()
          most = Math.max(most, count - before)
        }
        // Those of two iterations, when the look falls between them.
        expect(most).toBeLessThan(150)
      }
      await Promise.all(reading)
    })

    it('withstands many streams, writers, and readers of two processes at once', async () => {
      const [a, b] = await twoProcesses(dialect)
      const streams = upTo(20).map((n) => `turn_${n}`)
      const reading = streams.flatMap((stream) => [collect(a.events, stream), collect(b.events, stream)])
      await Promise.all(
        streams.flatMap((stream) =>
          [a, b].map(async ({ events }, index) => {
            const own = writer(1, `call_${index}`)
            await events.begin(stream, own)
            for (const n of upTo(15))
              await events.append(stream, own, [{ event: content(`${n}`), key: `${index}/${n}` }])
          }),
        ),
      )
      for (const stream of streams) await a.events.append(stream, undefined, [{ event: end }])
      for (const events of await Promise.all(reading)) expect(numbers(events)).toEqual(upTo(31))
    })
  })
}

it('loses nothing while the LISTEN connection of a reader is cut', async () => {
  const [a, b] = await twoProcesses(dialects[1]!)
  const following = collect(b.events, 'turn_1')
  const cut = async () =>
    (
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%-listen' and datname = current_database()`.execute(
        a.db,
      )
    ).rows.length
  for (const n of upTo(30)) {
    await append(a, `${n}`)
    if (n % 10 === 0) await expect.poll(cut, { interval: 10 }).toBeGreaterThan(0)
  }
  await a.events.append('turn_1', undefined, [{ event: end }])
  expect(numbers(await following)).toEqual(upTo(31))
})

it('continues after the connections of a process were cut, idle and in a transaction', async () => {
  const [a, b] = await twoProcesses(dialects[1]!)
  const cut = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`.execute(
      b.db,
    )
  await a.events.append('turn_1', undefined, [{ event: content('1') }])
  await cut()
  await untilDatabaseIsBack(() => readHead(a.db, 'turn_1'), AbortSignal.timeout(20_000))
  const lost = a.db.transaction().execute(async (tx) => {
    await addEvents(tx, 'turn_1', undefined, [{ event: content('never') }])
    await cut()
    await addEvents(tx, 'turn_1', undefined, [{ event: content('never') }])
  })
  await expect(lost).rejects.toThrow()
  await untilDatabaseIsBack(() => append(a, '2'), AbortSignal.timeout(20_000))
  expect(numbers(await readAllEvents(a.db, 'turn_1'))).toEqual([1, 2])
})

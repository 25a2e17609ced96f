// What happens when the Postgres server is killed, silent, or not there yet.
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { sql } from 'kysely'
import { pino } from 'pino'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { toMuxiError } from '../../api/errors.ts'
import type { NewEvent } from '../../contracts/events.ts'
import { countKeys } from '../../db/queries/keys.ts'
import { isDatabaseAway, openStorage, untilDatabaseIsBack, type Storage } from '../../db/storage.ts'
import { startPostgres, type PostgresServer } from '../support/postgres.ts'
import { tempDir } from '../support/temp-dir.ts'

const content: NewEvent = { type: 'content', data: { content: 'x', step: 1 } }
const end: NewEvent = { type: 'cancelled', data: { id: 'msg_1' } }

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
  return () => server.stop()
})

async function open(url: string): Promise<Storage> {
  const storage = await openStorage({ data_dir: tempDir(), database_url: url })
  onTestFinished(() => storage.close())
  return storage
}

async function failure({ db }: Storage): Promise<unknown> {
  return countKeys(db).then(
    () => undefined,
    (error: unknown) => error,
  )
}

it('is unavailable while the server is down, and resumes when it is back', async () => {
  const url = await server.createDatabase()
  const [a, b] = [await open(url), await open(url)]
  const seen: number[] = []
  const following = (async () => {
    for await (const batch of b.events.follow('turn_1', 0, AbortSignal.timeout(30_000)))
      seen.push(...batch.map(({ id }) => id))
  })()
  await a.events.append('turn_1', undefined, [{ event: content }])
  await expect.poll(() => seen).toEqual([1])
  const interrupted = a.db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
    await server.kill()
    // The process of a connection notices a moment later that its server has exited.
    await expect.poll(() => existsSync(`/proc/${rows[0]!.pid}`)).toBe(false)
    return countKeys(tx)
  })
  expect(isDatabaseAway(await interrupted.catch((error: unknown) => error))).toBe(true)
  for (let n = 0; n < 5; n += 1) {
    const error = await failure(a)
    expect(isDatabaseAway(error), String(error)).toBe(true)
    expect(toMuxiError(error, pino({ level: 'silent' }))).toMatchObject({
      code: 'unavailable',
      status: 503,
      retryAfter: 2,
    })
  }
  const refused = await a.events.append('turn_1', undefined, [{ event: content }]).catch((error: unknown) => error)
  expect(isDatabaseAway(refused)).toBe(true)
  await server.restart()
  expect(await failure(a)).toBeUndefined()
  await a.events.append('turn_1', undefined, [{ event: content }])
  await a.events.append('turn_1', undefined, [{ event: end }])
  await following
  expect(seen).toEqual([1, 2, 3])
})

it('times out on a server that does not respond', async () => {
  const storage = await open(await server.createDatabase())
  expect(await failure(storage)).toBeUndefined()
  server.pause()
  // On a connection that stands, and on new ones.
  const errors = await Promise.all([failure(storage), failure(storage), failure(storage)]).finally(server.resume)
  for (const error of errors) expect(isDatabaseAway(error), String(error)).toBe(true)
  await expect.poll(() => failure(storage)).toBeUndefined()
})

it('retries until the server is back or the work is aborted', async () => {
  const storage = await open(await server.createDatabase())
  await server.kill()
  const cancelled = new AbortController()
  const tries = { kept: 0, dropped: 0 }
  const count = (which: keyof typeof tries) => () => {
    tries[which] += 1
    return countKeys(storage.db)
  }
  const kept = untilDatabaseIsBack(count('kept'), AbortSignal.timeout(30_000))
  const dropped = untilDatabaseIsBack(count('dropped'), cancelled.signal).catch((error: unknown) => error)
  await expect.poll(() => Math.min(tries.kept, tries.dropped)).toBeGreaterThan(1)
  cancelled.abort(new Error('called off'))
  expect(await dropped).toBe(cancelled.signal.reason)
  await server.restart()
  expect(await kept).toBe(0)
})

it('waits at its start for a server that is still coming up', async () => {
  const url = await server.createDatabase()
  await server.kill()
  // Connections are refused in the meantime, and counted.
  let refused = 0
  const closed = createServer((socket) => {
    refused += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => closed.listen(server.port, '127.0.0.1', resolve))
  const opening = open(url)
  await expect.poll(() => refused).toBeGreaterThan(1)
  await new Promise((resolve) => closed.close(resolve))
  await server.restart()
  expect(await failure(await opening)).toBeUndefined()
})

it('ends the transaction of a process that has been stopped, so that others need not wait for it', async () => {
  const url = await server.createDatabase()
  const [a, b] = [await open(url), await open(url)]
  await a.events.append('turn_1', undefined, [{ event: content }])
  const [locked, appended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const stopped = a.db.transaction().execute(async (tx) => {
    await tx.selectFrom('event_streams').select('head').forUpdate().execute()
    locked.resolve()
    await appended.promise
    await tx.selectFrom('event_streams').select('head').execute()
  })
  const ended = stopped.catch((error: unknown) => error)
  await locked.promise
  await b.events.append('turn_1', undefined, [{ event: end }])
  appended.resolve()
  expect(isDatabaseAway(await ended)).toBe(true)
})

it('distinguishes a missing database and a wrong password from an unavailable server', async () => {
  const error = await openStorage({ data_dir: tempDir(), database_url: server.url('missing') }).catch(
    (fault: unknown) => fault,
  )
  expect(isDatabaseAway((error as Error).cause)).toBe(false)
})

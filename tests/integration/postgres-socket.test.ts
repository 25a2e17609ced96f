// Postgres over its Unix socket, as managed services offer it: rows, and events of another process.
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { loadSettings } from '../../config/settings.ts'
import { openStorage } from '../../db/storage.ts'
import { startPostgres, type PostgresServer } from '../support/postgres.ts'
import { tempDir } from '../support/temp-dir.ts'

describe('a DATABASE_URL of a Unix socket', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  it('is accepted, and rows and news of events travel over the socket', async () => {
    const database = new URL(await server.createDatabase()).pathname.slice(1)
    const { database_url } = loadSettings({ DATABASE_URL: server.socketUrl(database) }, { cwd: tempDir() })
    const open = async () => {
      const storage = await openStorage({ data_dir: join(tempDir(), 'data'), database_url })
      onTestFinished(() => storage.close())
      return storage
    }
    const [a, b] = [await open(), await open()]
    const { rows } = await sql<{ address: string | null }>`select inet_server_addr() as address`.execute(a.db)
    expect(rows).toEqual([{ address: null }])

    const seen: string[] = []
    const following = (async () => {
      for await (const batch of b.events.follow('turn_1', 0, AbortSignal.timeout(20_000)))
        seen.push(...batch.map(({ type }) => type))
    })()
    await a.events.append('turn_1', undefined, [{ event: { type: 'content', data: { content: 'Hello', step: 1 } } }])
    await expect.poll(() => seen, { interval: 5 }).toEqual(['content'])
    await a.events.append('turn_1', undefined, [{ event: { type: 'cancelled', data: { id: 'msg_1' } } }])
    await following
    expect(seen).toEqual(['content', 'cancelled'])
  })
})

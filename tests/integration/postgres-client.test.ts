// The connection to Postgres that sends `begin` with the first statement and prepares what it sends often.
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPostgres } from '../../db/postgres.ts'
import type { Database } from '../../db/dialect.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'

describe('the connection to Postgres', () => {
  let database: Database
  let other: Database

  beforeAll(async () => {
    const url = await freshDatabase()
    database = openPostgres(url)
    other = openPostgres(url)
    await sql`create table things (id int primary key, name text)`.execute(database.db)
  })

  afterAll(async () => {
    await database.close()
    await other.close()
    await stopSharedPostgres()
  })

  const names = async () =>
    (await sql<{ name: string }>`select name from things order by id`.execute(other.db)).rows.map(({ name }) => name)

  it('shows nothing of a transaction before its commit, from its first statement on', async () => {
    await database.db.transaction().execute(async (tx) => {
      await sql`insert into things values (${1}, ${'first'})`.execute(tx)
      expect(await names()).toEqual([])
    })
    expect(await names()).toEqual(['first'])
  })

  it('undoes all of a transaction, whichever statement fails', async () => {
    const { db } = database
    const fails = sql`insert into things values (${1}, ${'again'})`
    await expect(db.transaction().execute((tx) => fails.execute(tx))).rejects.toThrow(/duplicate key/)
    await expect(
      db.transaction().execute(async (tx) => {
        await sql`insert into things values (${2}, ${'second'})`.execute(tx)
        await fails.execute(tx)
      }),
    ).rejects.toThrow(/duplicate key/)
    await expect(db.transaction().execute(() => Promise.reject(new Error('before anything')))).rejects.toThrow('before')
    expect(await names()).toEqual(['first'])
  })

  it('has nothing to do for a transaction without statements', async () => {
    expect(await database.db.transaction().execute(() => Promise.resolve(3))).toBe(3)
    expect(await names()).toEqual(['first'])
  })

  it('keeps prepared statements valid when a migration adds a column', async () => {
    const all = () => sql<object>`select * from things where id = ${1}`.execute(database.db)
    for (let time = 0; time < 20; time += 1) await Promise.all([all(), names()])
    await sql`alter table things add column note text`.execute(other.db)
    expect((await all()).rows).toEqual([{ id: 1, name: 'first', note: null }])
    const { rows } = await sql<{ n: number }>`select count(*) as n from pg_prepared_statements`.execute(other.db)
    expect(rows[0]?.n).toBeGreaterThan(0)
  })
})

// The list of migrations on both databases.
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { addEvents, readAllEvents } from '../../db/event-rows.ts'
import { migrate } from '../../db/migrate.ts'
import { openPostgresPatiently } from '../../db/postgres.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { totalUsage } from '../../db/queries/usage.ts'
import { openSqlite } from '../../db/sqlite.ts'
import { sqliteFile } from '../../db/storage.ts'
import { spaceOf } from '../../vectors/documents.ts'
import { startChild } from '../support/children.ts'
import { dialects } from '../support/dialects.ts'
import { tempDir } from '../support/temp-dir.ts'

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('has nothing to do the second time', async () => {
      const database = await dialect.empty()
      const first = await database.open()
      const executed = await sql`select name, timestamp from kysely_migration`.execute(first.db)
      await first.close()
      const { db } = await database.open()
      expect(await sql`select name, timestamp from kysely_migration`.execute(db)).toEqual(executed)
    })

    it('keeps the usage, log and events of turns and jobs of a 0.2.0 database', async () => {
      const database = await dialect.empty()
      const { database_url, data_dir } = database.options
      const old = database_url === undefined ? openSqlite(sqliteFile(data_dir)).db : openPostgresPatiently(database_url)
      await migrate(old, '019-mcp-warnings')
      const event = { type: 'content' as const, data: { content: 'Hello', step: 1 } }
      const streams = ['turn_1', 'job_1']
      for (const id of streams) {
        await sql`insert into model_usage (id, turn_id, step, fence, provider, model, status, input_tokens, output_tokens, created_at)
          values (${`use_${id}`}, ${id}, 1, 1, 'p', 'm', 'completed', 7, 5, '')`.execute(old)
        await sql`insert into log_entries (id, turn_id, kind, name, status, workflow_id, activity_id, attempt, started_at)
          values (${`log_${id}`}, ${id}, 'model_call', 'm', 'completed', ${id}, '1', 1, '')`.execute(old)
        await old.transaction().execute((tx) => addEvents(tx, id, undefined, [{ event }]))
      }
      await old.destroy()

      const { db } = await database.open()
      for (const id of streams) {
        expect(await totalUsage(db, id)).toEqual({ input_tokens: 7, output_tokens: 5 })
        expect(await listLogOfTurn(db, id)).toMatchObject([{ id: `log_${id}`, stream_id: id, attempt: 1 }])
        expect(await readAllEvents(db, id)).toEqual([{ id: 1, ...event }])
      }
    })

    it('keeps the vectors of a database that has no codes of them', async () => {
      const database = await dialect.empty()
      const { database_url, data_dir } = database.options
      const old = database_url === undefined ? openSqlite(sqliteFile(data_dir)).db : openPostgresPatiently(database_url)
      await migrate(old, '026-routing')
      await sql`insert into collections (id, model, dimension, created_at) values ('c', 'c', 2, '')`.execute(old)
      await sql`insert into documents (id, agent_id, scope, generation, created_at) values ('d', 'a', '', 1, '')`.execute(
        old,
      )
      const vectors = ['0 -1', '0.6 0.8', '0 1'].map((numbers) => numbers.split(' ').map(Number))
      const space = spaceOf('c', 'a', '')
      if (dialect.name === 'sqlite')
        await sql`create virtual table chunk_vectors_2 using vec0(space text partition key, embedding float[2], chunk_size=256)`.execute(
          old,
        )
      else
        await sql`create table chunk_vectors_2 (chunk_id bigint primary key references chunks (id) on delete cascade,
          space text collate "C" not null, embedding halfvec(2) not null)`.execute(old)
      for (const [position, vector] of vectors.entries()) {
        const { rows } = await sql<{ id: number }>`insert into chunks
          (document_id, generation, collection_id, position, page, content) values ('d', 1, 'c', ${position}, 1, ${`Text ${position}`})
          returning id`.execute(old)
        const id = BigInt(rows[0]!.id)
        const bytes = new Uint8Array(Float32Array.from(vector).buffer)
        await (
          dialect.name === 'sqlite'
            ? sql`insert into chunk_vectors_2 (rowid, space, embedding) values (${id}, ${space}, ${bytes})`
            : sql`insert into chunk_vectors_2 values (${id}, ${space}, ${JSON.stringify(vector)})`
        ).execute(old)
      }
      await old.destroy()

      const { vectors: store } = await database.open()
      const query = { model: 'c', agent_id: 'a', scopes: [''], text: '', top_k: 3 }
      const hits = await store.search({ ...query, vector: Float32Array.of(0, 1) })
      expect(hits.map(({ content }) => content)).toEqual(['Text 2', 'Text 1'])
      expect(hits[1]!.similarity).toBeCloseTo(0.8, 3)
    })

    it('is safe in several processes on a new database', async () => {
      const { options } = await dialect.empty()
      const cwd = tempDir()
      const children = Array.from({ length: 4 }, () =>
        startChild({ script: 'tests/support/open-storage.ts', args: [JSON.stringify(options)], cwd }),
      )
      const ended = await Promise.all(children.map(async (child) => [await child.ended, child.output()]))
      expect(ended).toEqual(Array.from({ length: 4 }, () => [0, 'opened\n']))
    })

    it('orders text by its bytes', async () => {
      const { db } = await (await dialect.fresh()).open()
      const names = ['agent/a/1/key', 'agent/a/10/key', 'agent/A/1/key', 'agent/a0', 'agent/é', 'agent/z']
      for (const name of names)
        await db.insertInto('secrets').values({ name, ciphertext: '', created_at: '' }).execute()
      const rows = await db.selectFrom('secrets').select('name').orderBy('name').execute()
      expect(rows.map(({ name }) => name)).toEqual(
        names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      )
      const within = db
        .selectFrom('secrets')
        .select('name')
        .where('name', '>=', 'agent/a/')
        .where('name', '<', 'agent/a0')
      expect((await within.execute()).map(({ name }) => name).sort()).toEqual(['agent/a/1/key', 'agent/a/10/key'])
    })

    it('keeps money as precisely as it was counted, and gives numbers back as numbers', async () => {
      const { db } = await (await dialect.fresh()).open()
      const row = {
        stream_id: 't',
        step: 1,
        fence: 1,
        provider: 'p',
        model: 'm',
        status: 'sent' as const,
        created_at: '',
      }
      await db
        .insertInto('model_usage')
        .values({ ...row, id: 'a', input_tokens: 2_000_000_000, output_tokens: 3, cost_usd: 0.1234567891 })
        .execute()
      const read = await db.selectFrom('model_usage').select(['input_tokens', 'cost_usd']).executeTakeFirstOrThrow()
      expect(read).toEqual({ input_tokens: 2_000_000_000, cost_usd: 0.1234567891 })
    })

    it('gives counts and big integers as numbers', async () => {
      const { db } = await (await dialect.fresh()).open()
      const row = { id: 'file_1', user_id: 'u', key_id: null, name: 'n', type: 't', sha256: 's', created_at: '' }
      await db
        .insertInto('files')
        .values({ ...row, size: 5_000_000_000 })
        .execute()
      expect(await db.selectFrom('files').select('size').executeTakeFirst()).toEqual({ size: 5_000_000_000 })
      expect(
        await db
          .selectFrom('files')
          .select((eb) => eb.fn.countAll().as('n'))
          .executeTakeFirst(),
      ).toEqual({ n: 1 })
    })
  })
}

it('compares every text column by bytes in Postgres, whatever the locale of the database', async () => {
  const { db } = await (await dialects[1]!.fresh()).open()
  const { rows } = await sql<{ n: string }>`
    select count(*) as n from information_schema.columns
    where table_schema = 'public' and table_name not like 'kysely%' and data_type = 'text' and collation_name is distinct from 'C'`.execute(
    db,
  )
  expect(Number(rows[0]?.n)).toBe(0)
})

it('makes the same tables with the same columns in both databases', async () => {
  const columns = async (index: 0 | 1) => {
    const { db } = await (await dialects[index]!.fresh()).open()
    const tables = await db.introspection.getTables()
    return new Map(
      tables.map((table) => [
        table.name,
        table.columns.map(({ name, isNullable }) => `${name}${isNullable ? '?' : ''}`),
      ]),
    )
  }
  const [sqlite, postgres] = [await columns(0), await columns(1)]
  // Full text and vectors have tables of their own in each of them.
  const shared = [...sqlite.keys()].filter((name) => postgres.has(name) && !/^(chunk|message)_words$/.test(name))
  expect(shared).toContain('turns')
  for (const name of shared) expect(sqlite.get(name), name).toEqual(postgres.get(name))
})

// The index after an upgrade: what serves, and documents that an earlier change of the embedding model had left behind.
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { migrate } from '../../db/migrate.ts'
import { openPostgresPatiently } from '../../db/postgres.ts'
import { insertReembed } from '../../db/queries/reembed-jobs.ts'
import { openSqlite } from '../../db/sqlite.ts'
import { sqliteFile } from '../../db/storage.ts'
import { dialects } from '../support/dialects.ts'
import { find, old, workerOf } from '../support/reembedding.ts'
import { inTx } from '../support/turn-rows.ts'

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('serves after an upgrade what the newest passage was embedded with, and brings the others back', async () => {
      const database = await dialect.empty()
      const { database_url, data_dir } = database.options
      const earlier =
        database_url === undefined ? openSqlite(sqliteFile(data_dir)).db : openPostgresPatiently(database_url)
      await migrate(earlier, '026-routing')
      const table = sql.table('chunk_vectors_384')
      if (dialect.name === 'sqlite')
        await sql`create virtual table ${table} using vec0(space text partition key, embedding float[384], chunk_size=256)`.execute(
          earlier,
        )
      else
        await sql`create table ${table} (chunk_id bigint primary key references chunks (id) on delete cascade,
          space text collate "C" not null, embedding halfvec(384) not null)`.execute(earlier)
      const left = { model: 'openai:left@384', dimension: 384 }
      for (const [index, { model, dimension }] of [left, old].entries()) {
        await sql`insert into collections (id, model, dimension, created_at) values (${model}, ${model}, ${dimension}, '')`.execute(
          earlier,
        )
        await sql`insert into documents (id, agent_id, scope, generation, created_at)
          values (${`doc_${index}`}, 'agent', '', 1, '')`.execute(earlier)
        await sql`insert into chunks (document_id, generation, position, collection_id, page, content)
          values (${`doc_${index}`}, 1, 0, ${model}, 1, ${`Text ${index} of the harbour.`})`.execute(earlier)
      }
      await earlier.destroy()

      const storage = await database.open()
      expect(await storage.vectors.serving(left)).toMatchObject({ model: old.model, collection: old.model })
      const job = await inTx(storage, (tx) => insertReembed(tx, old.model, 'key'))
      const worker = workerOf(storage, old, job)
      await worker.claim()
      await worker.plan()
      await worker.embed()
      await worker.takeOver()
      await worker.removeOld()
      expect((await find(storage, old, 'text of the harbour')).toSorted()).toEqual([
        'Text 0 of the harbour.',
        'Text 1 of the harbour.',
      ])
    })
  })
}

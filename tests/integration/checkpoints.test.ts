// SQLite's log, copied into the file by a thread while others write.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openSqlite } from '../../db/sqlite.ts'
import { tempDir } from '../support/temp-dir.ts'

const COMMITS = 40
const BYTES = 16_384

test('commits are soon in the database file, without blocking a writer', async () => {
  const file = join(tempDir(), 'muxi.db')
  const { db, close } = openSqlite(file)
  await sql`create table written (bytes blob)`.execute(db)
  for (let commit = 0; commit < COMMITS; commit += 1)
    await db.transaction().execute((tx) => sql`insert into written values (randomblob(${BYTES}))`.execute(tx))
  await expect.poll(() => statSync(file).size, { timeout: 10_000 }).toBeGreaterThan((COMMITS / 2) * BYTES)
  await close()
})

// SQLite's log, copied into the file by a thread while others write.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { Checkpoints } from '../../db/checkpoints.ts'
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
  await expect.poll(() => statSync(file).size).toBeGreaterThan((COMMITS / 2) * BYTES)
  await close()
})

test('the thread ends when little is committed, and starts again when much is', async () => {
  const file = join(tempDir(), 'muxi.db')
  const { close } = openSqlite(file)
  const checkpoints = new Checkpoints(file, { windowMs: 200 })
  const commit = (times: number) => {
    for (let done = 0; done < times; done += 1) checkpoints.count()
  }
  commit(COMMITS)
  expect(checkpoints.running).toBe(true)
  await expect.poll(() => checkpoints.running).toBe(false)
  commit(1)
  expect(checkpoints.running).toBe(false)
  commit(COMMITS)
  expect(checkpoints.running).toBe(true)
  await checkpoints.close()
  commit(COMMITS)
  expect(checkpoints.running).toBe(false)
  await close()
})

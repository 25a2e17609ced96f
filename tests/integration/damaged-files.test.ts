// Files of the data folder that are damaged or lost: what is said, by the real storage and the real Temporal server.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { putSecrets } from '../../db/queries/secrets.ts'
import { openStorage } from '../../db/storage.ts'
import { checkSecretKey, forgetUnreadable } from '../../db/unreadable.ts'
import { serverFiles, startDevServer } from '../../temporal-config/dev-server.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporalBinary } from '../support/temporal-binary.ts'

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: Error) => error,
  )

it('a file that is not a database is named', async () => {
  const data_dir = tempDir()
  writeFileSync(join(data_dir, 'muxi.db'), 'This is no database. '.repeat(1_000))
  const error = await failure(openStorage({ data_dir }))
  expect(error?.message).toContain(`Cannot use the database file '${join(data_dir, 'muxi.db')}'`)
})

it('a database that is damaged is named, at the start and by a statement', async () => {
  const data_dir = tempDir()
  const file = join(data_dir, 'muxi.db')
  const storage = await openStorage({ data_dir })
  await storage.close()
  const bytes = readFileSync(file)
  copyFileSync(file, `${file}.whole`)
  // All pages but the first, which says where the tables are.
  writeFileSync(file, Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(bytes.length - 4_096, 0xff)]))
  const error = await failure(openStorage({ data_dir }))
  expect(error?.message).toContain(`'${file}'`)
})

it('a Temporal server that cannot start reports the reason, and names its database', async () => {
  const dataDir = tempDir()
  const given = { binary: await temporalBinary(), dataDir, env: process.env }
  const first = await startDevServer(given)
  await first.stop()
  const { db, log } = serverFiles(dataDir)
  for (const rest of ['-wal', '-shm']) rmSync(`${db}${rest}`, { force: true })
  writeFileSync(db, 'This is no database. '.repeat(1_000))
  const error = await failure(startDevServer(given))
  expect(error?.message).toMatch(
    /^Cannot start the Temporal server: it ended \(exit code 1\): .*file is not a database/,
  )
  expect(error?.message).toContain(db)
  expect(error?.message).toContain(log)
})

it('a lost secret key is reported with the names of unreadable secrets, which can be removed', async () => {
  const data_dir = tempDir()
  const first = await openStorage({ data_dir })
  await first.db.transaction().execute((tx) => putSecrets(tx, first.box, 'agent/helper/1', { 'model.api_key': 'sk-1' }))
  await checkSecretKey(first.db, first.box)
  await first.close()
  rmSync(join(data_dir, 'secret.key'))

  const second = await openStorage({ data_dir })
  onTestFinished(() => second.close())
  await second.db
    .transaction()
    .execute((tx) => putSecrets(tx, second.box, 'agent/other/1', { 'model.api_key': 'sk-2' }))
  const error = await failure(checkSecretKey(second.db, second.box))
  expect(error?.message).toMatch(
    /^Cannot read 'agent\/helper\/1\/model\.api_key': MUXI_SECRET_KEY .* `muxi secrets forget`/,
  )
  expect(await forgetUnreadable(second.db, second.box)).toEqual(['agent/helper/1/model.api_key'])
  await checkSecretKey(second.db, second.box)
  expect(await second.db.selectFrom('secrets').select('name').execute()).toEqual([
    { name: 'agent/other/1/model.api_key' },
  ])
})

it('an empty key file is refused by name', async () => {
  const data_dir = tempDir()
  writeFileSync(join(data_dir, 'secret.key'), '')
  const error = await failure(openStorage({ data_dir }))
  expect(error?.message).toContain(`Cannot use '${join(data_dir, 'secret.key')}'`)
})

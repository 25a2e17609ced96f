// Storage on a real disk that is full: a small tmpfs.
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toMuxiError } from '../../api/errors.ts'
import { openStorage, isDatabaseAway, type Storage } from '../../db/storage.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts'

const silent = pino({ level: 'silent' })

describe.skipIf(!canMount(join(tmpdir(), 'muxi-small-disk')))('on a full disk', () => {
  async function onSmallDisk(): Promise<{ disk: SmallDisk; storage: Storage }> {
    const disk = mountSmallDisk(mkdtempSync(join(tmpdir(), 'muxi-test-')), 8)!
    onTestFinished(() => disk.unmount())
    const storage = await openStorage({ data_dir: disk.folder })
    onTestFinished(() => storage.close())
    return { disk, storage }
  }

  const insert = ({ db }: Storage, id: string) =>
    db.transaction().execute((tx) =>
      tx
        .insertInto('agent_versions')
        .values({ agent_id: id, version: 1, config: 'x'.repeat(100_000), source: 'file', created_at: '' })
        .execute(),
    )

  it('a transaction fails with the reason, the API returns 503, and works again with free space', async () => {
    const { disk, storage } = await onSmallDisk()
    disk.fill()
    for (let round = 0; round < 3; round++) {
      const error = await insert(storage, `agent-${round}`).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ errcode: 13 })
      expect(isDatabaseAway(error)).toBe(true)
      expect(toMuxiError(error, silent)).toMatchObject({
        status: 503,
        retryAfter: 10,
        message: 'The disk of the data folder is full',
      })
    }
    disk.free()
    await insert(storage, 'agent')
    expect(await storage.db.selectFrom('agent_versions').select('agent_id').execute()).toEqual([{ agent_id: 'agent' }])
  })

  it('a file that does not fit is refused with the reason, and leaves nothing behind', async () => {
    const { disk, storage } = await onSmallDisk()
    disk.fill()
    const outcomes = await Promise.allSettled([
      storage.blobs.put('user/ada', new Uint8Array(100_000)),
      storage.blobs.receive(chunks(10)),
    ])
    for (const outcome of outcomes) {
      const { reason } = outcome as PromiseRejectedResult
      expect(toMuxiError(reason, silent)).toMatchObject({ code: 'unavailable', retryAfter: 10 })
    }
    expect(readdirSync(join(disk.folder, 'blobs', 'incoming'))).toEqual([])
    disk.free()
    const received = await storage.blobs.receive(chunks(10))
    expect(received.size).toBe(100_000)
  })

  it('the probe distinguishes a full disk from one with free space', async () => {
    const { disk, storage } = await onSmallDisk()
    expect(await storage.disk.check()).toBe('ok')
    disk.fill()
    await expect.poll(() => storage.disk.check()).toBe('full')
    disk.free()
    await expect.poll(() => storage.disk.check()).toBe('ok')
  })
})

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) yield new Uint8Array(10_000)
}

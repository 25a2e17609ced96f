// Damaged files of every kind, some of each: read, or refused with a reason; within memory, and with no process or folder left.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { planParts } from '../../activities/ingest/contained-files.ts'
import { prepareAudio } from '../../media/audio/audio.ts'
import { MediaFailure } from '../../media/failure.ts'
import { withPreparedImage } from '../../media/image/image.ts'
import { inspectDocument, parsePages } from '../../media/document/parse-document.ts'
import { endIdleChildren } from '../../media/process/child-pool.ts'
import { inScratch } from '../../media/process/scratch.ts'
import { damage, goodFiles, type GoodFile } from '../support/damage.ts'

const EACH = Number(process.env['MUXI_TEST_EACH'] ?? 2)
const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 20_261)
const MB = 2 ** 20
const { signal } = new AbortController()
const limits = { memory_mb: 512, time_ms: 30_000, output_bytes: 64 * MB }

const folder = mkdtempSync(join(tmpdir(), 'muxi-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const scratch = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`muxi-media-${process.pid}-`))

/** Reads a file as its job would. */
async function read({ kind, name, bytes }: GoodFile): Promise<void> {
  const path = join(folder, 'file')
  writeFileSync(path, bytes)
  if (kind === 'audio') {
    const options = { signal, limits: { ...limits, max_seconds: 60 } }
    return inScratch(async (to) => void (await prepareAudio(path, to, options)))
  }
  if (kind === 'image') {
    const options = { signal, limits: { ...limits, max_pixels: 50_000_000 }, owner: 'u' }
    const variant = { name: 'a', max_side: 256, max_bytes: 10 * MB }
    return withPreparedImage(path, [variant], options, () => Promise.resolve())
  }
  const options = { signal, name, limits: { ...limits, max_pages: 5_000 } }
  const image_limits = { ...limits, max_pixels: 50_000_000 }
  if (await planParts({ parse_limits: options.limits, image_limits }, { path, name, user_id: 'u' }, signal)) return
  const { pages, whole } = await inspectDocument(path, options)
  for (let from = 1; !whole && from <= pages; from += 50)
    await parsePages(path, { from, to: Math.min(pages, from + 49) }, options)
}

it('each is read, or refused with a reason', { timeout: 600_000 }, async () => {
  const good = await goodFiles(folder)
  for (const file of good) await read(file)
  const before = process.memoryUsage().rss
  const ends = new Map<string, number>()
  for (const file of damage(good, EACH, SEED)) {
    const end = await read(file).then(
      () => 'read',
      (error: unknown) => error,
    )
    if (typeof end !== 'string' && !(end instanceof MediaFailure))
      throw new Error(`${file.name}, ${file.how} (seed ${SEED}): no reason was told`, { cause: end })
    const told = typeof end === 'string' ? end : end.reason
    ends.set(told, (ends.get(told) ?? 0) + 1)
  }
  console.log(`seed ${SEED}: ${[...ends].map(([end, times]) => `${times} ${end}`).join(', ')}`)
  expect([...ends.values()].reduce((sum, times) => sum + times, 0)).toBe(good.length * EACH)
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * MB)
  await endIdleChildren()
  expect(scratch()).toEqual([])
})

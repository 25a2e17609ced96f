// Decoders are held to their limits, without network, and leave nothing behind.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { prepareAudio } from '../../media/audio/audio.ts'
import { withPreparedImage } from '../../media/image/image.ts'
import { endIdleChildren } from '../../media/process/child-pool.ts'
import { runLimited } from '../../media/process/limited-process.ts'
import { inScratch } from '../../media/process/scratch.ts'
import { photograph, sound, spoken } from '../support/media.ts'

const folder = mkdtempSync(join(tmpdir(), 'muxi-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const limits = {
  memory_mb: 512,
  time_ms: 20_000,
  output_bytes: 200_000_000,
  max_pixels: 100_000_000,
  max_seconds: 7_200,
}
const never = new AbortController().signal
const mine = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`muxi-media-${process.pid}-`))

it.each([
  ['too_slow', { time_ms: 1 }],
  ['too_much_output', { output_bytes: 50_000 }],
  ['too_long', { max_seconds: 5 }],
])('a recording past its limit is %s', async (reason, less) => {
  const path = join(folder, 'tone.mp3')
  await sound(folder, 'tone.mp3', spoken(60))
  const prepared = inScratch((to) => prepareAudio(path, to, { signal: never, limits: { ...limits, ...less } }))
  await expect(prepared).rejects.toMatchObject({ reason })
  expect(mine()).toEqual([])
})

it.each([
  ['too_slow', { time_ms: 1 }],
  ['too_much_memory', { memory_mb: 30 }],
  ['too_large', { max_pixels: 10_000 }],
])('a picture past its limit is %s', async (reason, less) => {
  const path = join(folder, 'picture.png')
  writeFileSync(path, await photograph('Limits', 'png'))
  const options = { signal: never, limits: { ...limits, ...less }, owner: reason }
  const variant = { name: 'a', max_side: 100, max_bytes: 1e6 }
  await expect(withPreparedImage(path, [variant], options, () => Promise.resolve())).rejects.toMatchObject({ reason })
})

it('an aborted recording ends with the reason, and its decoder with it', async () => {
  const path = join(folder, 'hour.wav')
  await sound(folder, 'hour.wav', 'anoisesrc=d=3600:r=8000:a=0.1')
  const stop = new AbortController()
  const prepared = inScratch((to) => prepareAudio(path, to, { signal: stop.signal, limits }))
  const failed = expect(prepared).rejects.toThrow('stopped')
  const decoding = () => mine().some((name) => readdirSync(join(tmpdir(), name)).length > 0)
  await expect.poll(decoding, { interval: 20 }).toBe(true)
  stop.abort(new Error('stopped'))
  await failed
  expect(mine().filter((name) => readdirSync(join(tmpdir(), name)).includes('sound.pcm'))).toEqual([])
})

it.runIf(process.platform === 'linux')('a decoder reaches no address', async () => {
  const script = `require('net').connect(5999, '192.0.2.1').on('error', (e) => { console.error(e.code); process.exit(0) })`
  const told = await runLimited([process.execPath, ['-e', script]], { signal: never, limits, what: 'nothing' })
  expect(told).toMatch(/ENETUNREACH|EADDRNOTAVAIL/)
})

it.runIf(process.platform === 'linux')(
  'a warm decoder answers its owner without a start, and no one else',
  async () => {
    const path = join(folder, 'warm.png')
    writeFileSync(path, await photograph('Warm', 'png'))
    const decoderOf = (owner: string) =>
      withPreparedImage(
        path,
        [{ name: 'v', max_side: 100, max_bytes: 1e6 }],
        { signal: never, limits, owner },
        ({ files }) => Promise.resolve(dirname(dirname(files[0]!.path))),
      )
    await endIdleChildren()
    const first = await decoderOf('anna')
    expect(await decoderOf('anna')).toBe(first)
    expect(await decoderOf('ben')).not.toBe(first)
    expect(mine()).toHaveLength(2)
    await endIdleChildren()
    expect(mine()).toEqual([])
  },
)

it('the same image has the same variants for each owner, in any decoder', async () => {
  const path = join(folder, 'same.jpg')
  writeFileSync(path, await photograph('Same'))
  const sizes = await Promise.all(
    ['a', 'b', 'a', 'b'].map((owner) =>
      withPreparedImage(
        path,
        [{ name: 'v', max_side: 300, max_bytes: 1e6 }],
        { signal: never, limits, owner },
        ({ files, facts }) => Promise.resolve({ size: files[0]!.size, width: facts.width }),
      ),
    ),
  )
  expect(new Set(sizes.map((each) => JSON.stringify(each))).size).toBe(1)
  expect(sizes[0]).toMatchObject({ width: 1_200 })
})

it('a video is read by its audio track, and is empty without one; content decides, and a truncated recording says so', async () => {
  const prepare = (path: string) => inScratch((to) => prepareAudio(path, to, { signal: never, limits }))
  const picture = 'testsrc=d=4:s=64x48:r=5'
  await sound(folder, 'silent-film.mp4', picture, '-pix_fmt', 'yuv420p')
  await expect(prepare(join(folder, 'silent-film.mp4'))).rejects.toMatchObject({ reason: 'empty' })
  await sound(folder, 'film.mp4', spoken(4), '-f', 'lavfi', '-i', picture, '-pix_fmt', 'yuv420p', '-shortest')
  expect((await prepare(join(folder, 'film.mp4'))).facts.duration_ms).toBeGreaterThan(3_800)

  const flac = await sound(folder, 'whole.flac', spoken(30))
  writeFileSync(join(folder, 'lie.mp3'), flac)
  expect((await prepare(join(folder, 'lie.mp3'))).facts).toMatchObject({ format: 'flac', truncated: false })
  writeFileSync(join(folder, 'half.flac'), flac.subarray(0, flac.length / 2))
  const { facts } = await prepare(join(folder, 'half.flac'))
  expect(facts.truncated).toBe(true)
  expect(facts.duration_ms).toBeGreaterThan(10_000)
  expect(facts.duration_ms).toBeLessThan(20_000)

  await sound(folder, 'silence.wav', 'anullsrc=r=16000', '-t', '3')
  expect((await prepare(join(folder, 'silence.wav'))).silences).toEqual([{ from_ms: 0, to_ms: 3_000 }])
})

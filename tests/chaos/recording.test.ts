// An hour of sound whose worker is killed at a quarter, a half and three quarters of it: nothing finished is transcribed again.
import { expect, it, onTestFinished } from 'vitest'
import { sound, spoken } from '../support/media.ts'
import { watchMemory } from '../support/process-memory.ts'
import { openStage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'

const SECONDS = 3_600
/** Pieces that are transcribed at the same time. */
const AT_ONCE = 4
const MOST_MIB = 1_536

it('an hour is transcribed once, however often its worker is killed, within 1.5 GiB', async () => {
  const whisper = await WhisperDouble.start()
  const stage = await openStage({ env: { MUXI_TRANSCRIPTION: whisper.url } })
  onTestFinished(async () => {
    await stage.close()
    await whisper.stop()
  })
  const api = await stage.start('api')
  let worker = await stage.start('worker')
  const bytes = await sound(stage.folder, 'hour.mp3', spoken(SECONDS))
  const file_id = await stage.upload(api.url, 'hour.mp3', bytes)
  const begin = async (fields: object) =>
    (await stage.call(api.url, '/api/v1/jobs', { body: { kind: 'audio', file_id, ...fields } })).body.id as string
  const textOf = async (id: string) => (await stage.call(api.url, `/api/v1/jobs/${id}/text?format=json`)).body.pages

  const memory = watchMemory(() => worker.pid)
  const startedAt = Date.now()
  const undisturbed = await begin({})
  const { data } = await (await stage.followJob(api.url, undisturbed)).untilFinal(600_000)
  const took = Date.now() - startedAt
  const segments = data.result.pages as number
  expect(whisper.asked).toHaveLength(segments)
  expect(Math.abs(data.result.duration_ms - SECONDS * 1_000)).toBeLessThan(1_000)

  whisper.asked.length = 0
  whisper.delay_ms = 300
  const id = await begin({ agent_id: 'offline' })
  const stream = await stage.followJob(api.url, id)
  for (const part of [0.25, 0.5, 0.75]) {
    await stream.waitFor(({ data: told }) => told.stage === 'transcribing' && told.done >= part * segments, 600_000)
    await worker.kill()
    worker = await stage.start('worker')
  }
  expect((await stream.untilFinal(600_000)).data.result).toMatchObject({ pages: segments })
  const most = memory()
  console.log(
    `an hour: ${segments} pieces, ${took} ms undisturbed; killed three times: ${whisper.asked.length} asked; ` +
      `${most.own} MiB of the worker at most, ${most.all} MiB with its children`,
  )
  expect(whisper.asked.length).toBeLessThanOrEqual(segments + 3 * AT_ONCE)
  expect(await textOf(id)).toEqual(await textOf(undisturbed))
  const prepared = await stage.rows(`select attempt from log_entries where stream_id = ? and name = 'prepare'`, id)
  expect(prepared).toHaveLength(1)
  expect(most.all).toBeLessThan(MOST_MIB)
  await stage.check()
})

// More than 200 damaged files of every kind as jobs of one process: each comes to an end with a reason, and the process lives.
import { expect, it, onTestFinished } from 'vitest'
import { damage, goodFiles } from '../support/damage.ts'
import { watchMemory } from '../support/process-memory.ts'
import { openStage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'

const EACH = 14
const SEED = Number(process.env['MUXI_TEST_SEED'] ?? Date.now() % 1_000_000)
const AT_ONCE = 8
/** Of the process itself, and with two decoders that may each take 1 GiB before they are ended. */
const MOST_MIB = { own: 1_024, all: 3_072 }

it('every damaged file is completed, or failed with a reason; the worker is the same process at the end', async () => {
  const whisper = await WhisperDouble.start()
  const stage = await openStage({ env: { MUXI_TRANSCRIPTION: whisper.url } })
  onTestFinished(async () => {
    await stage.close()
    await whisper.stop()
  })
  const muxi = await stage.start('all')
  const files = damage(await goodFiles(stage.folder), EACH, SEED)
  expect(files.length).toBeGreaterThanOrEqual(200)
  const memory = watchMemory(() => muxi.pid)
  const ends = new Map<string, number>()
  const waiting = files.values()
  const lane = async () => {
    for (const { kind, name, bytes, how } of waiting) {
      const file_id = await stage.upload(muxi.url, name, new Uint8Array(bytes))
      const begun = await stage.call(muxi.url, '/api/v1/jobs', { body: { kind, file_id, agent_id: 'offline' } })
      await (await stage.followJob(muxi.url, begun.body.id)).untilFinal(180_000)
      const { status, error } = (await stage.call(muxi.url, `/api/v1/jobs/${begun.body.id}`)).body
      const told = status === 'completed' ? status : `${error?.code} ${error?.details?.reason}`
      if (status !== 'completed' && (error?.code !== 'unprocessable' || !error.details?.reason))
        throw new Error(`${name}, ${how} (seed ${SEED}): ${status} ${JSON.stringify(error)}`)
      ends.set(told, (ends.get(told) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  const most = memory()
  console.log(
    `seed ${SEED}, ${files.length} files, ${most.own} MiB, ${most.all} MiB with children: ${[...ends].map((end) => end.join(' ')).join(', ')}`,
  )
  expect(muxi.child.exitCode).toBeNull()
  expect(most.own).toBeLessThan(MOST_MIB.own)
  expect(most.all).toBeLessThan(MOST_MIB.all)
  const served = await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body: { content: 'Are you there?' } })
  expect(served.status).toBe(200)
  await stage.check()
})

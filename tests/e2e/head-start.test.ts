// Head starts: the first model request of a turn, sent while Temporal starts its workflow, under kills, cuts and stops.
import { expect, it, onTestFinished } from 'vitest'
import { openGate } from '../support/gate.ts'
import { HANG } from '../support/scripted-model.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { cancel, expectStatus, send, SOON_SWEPT, SWEPT_MS } from '../support/turns.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

async function openSwept(env: Record<string, string> = { MUXI_ENGINE_SWEEP_MS: '1000' }): Promise<Stage> {
  const stage = await openStage({ env })
  onTestFinished(() => stage.close())
  return stage
}

const openBehindGate = async (env?: Record<string, string>) => {
  const stage = await openSwept(env)
  const gate = await openGate(stage.temporal!.address)
  const all = await stage.start('all', { env: { TEMPORAL_ADDRESS: gate.address } })
  return { stage, gate, all }
}
const untilAsked = (stage: Stage, calls: number) => expect.poll(() => stage.model.calls(), { interval: 5 }).toBe(calls)

it(
  keeps(
    'head-start.killed',
    'killed with -9 it leaves nothing: the message runs when it is sent again, or was never accepted',
  ),
  async () => {
    const { stage, gate, all } = await openBehindGate(SOON_SWEPT)
    const [repeated, left] = [await stage.conversation(all.url), await stage.conversation(all.url)]
    const cue = stage.model.script(HANG, { say: 'Again.' })
    gate.shut()
    const sent = [
      send(stage, all.url, cue, { conversation_id: repeated, key: 'repeated' }),
      send(stage, all.url, stage.model.script(HANG), { conversation_id: left }),
    ].map((answer) => answer.catch(() => 'cut'))
    await untilAsked(stage, 2)
    await all.kill()
    expect(await Promise.all(sent)).toEqual(['cut', 'cut'])
    const { url } = await stage.start('all')
    const answer = await send(stage, url, cue, { conversation_id: repeated, key: 'repeated' })
    expect(answer.status, answer.text).toBe(202)
    await expectStatus(stage, answer.body.turn_id, 'completed')
    await expect
      .poll(() => stage.rows('select status from turns where conversation_id = ?', left), { timeout: SWEPT_MS })
      .toEqual([{ status: 'failed' }])
    stage.model.assertUsed()
    await stage.check()
  },
)

it(
  keeps(
    'head-start.refused',
    'ends with its request when the start does not reach Temporal, and a repeated message runs once',
  ),
  async () => {
    const { stage, gate, all } = await openBehindGate()
    const conversation_id = await stage.conversation(all.url)
    const cue = stage.model.script(HANG, { say: 'Again.' })
    gate.shut()
    const refused = await send(stage, all.url, cue, { conversation_id, key: 'refused' })
    expect(refused.status).toBe(503)
    await expect.poll(() => stage.model.served[0]?.closed_at, { interval: 20 }).toBeDefined()
    gate.open()
    await expect
      .poll(async () => (await send(stage, all.url, cue, { conversation_id, key: 'refused' })).status)
      .toBe(202)
    await expect
      .poll(() => stage.rows('select status from turns'), { timeout: SWEPT_MS })
      .toEqual([{ status: 'completed' }])
    stage.model.assertUsed()
    await stage.check()
  },
)

it(
  keeps(
    'head-start.other-worker',
    'is not the answer when another worker has taken the turn, and each request is counted once',
  ),
  async () => {
    const { stage, gate, all } = await openBehindGate()
    await stage.start('worker')
    const conversation_id = await stage.conversation(all.url)
    const cue = stage.model.script({ say: 'Of the head start.', after_ms: 60_000 }, { say: 'Of the other worker.' })
    gate.dropAnswers()
    const refused = await send(stage, all.url, cue, { conversation_id, key: 'elsewhere' })
    expect(refused.status).toBe(503)
    await expect.poll(() => stage.model.served[0]?.closed_at, { interval: 20 }).toBeDefined()
    await expect
      .poll(() => stage.rows('select status from turns'), { timeout: 90_000 })
      .toEqual([{ status: 'completed' }])
    gate.open()
    const repeated = await send(stage, all.url, cue, { conversation_id, key: 'elsewhere' })
    expect(repeated.status).toBe(202)
    expect((await stage.turn(all.url, repeated.body.turn_id)).message.agent_response.content).toBe(
      'Of the other worker.',
    )
    stage.model.assertUsed()
    await stage.check()
  },
)

it(keeps('head-start.stopped', 'ends with a cancel of its turn that another process took'), async () => {
  const { stage, gate, all } = await openBehindGate()
  const other = await stage.start('api')
  const conversation_id = await stage.conversation(all.url)
  const cue = stage.model.script(HANG)
  gate.shut()
  const sent = send(stage, all.url, cue, { conversation_id })
  await untilAsked(stage, 1)
  const [turn] = await stage.rows('select id from turns')
  const stopped = cancel(stage, other.url, String(turn!['id']))
  await expect.poll(() => stage.model.served[0]?.closed_at, { interval: 20 }).toBeDefined()
  expect((await sent).status).toBe(503)
  // Temporal does not answer: the turn has not ended after 5 seconds.
  expect((await stopped).status).toBe(202)
  gate.open()
  await expectStatus(stage, String(turn!['id']), 'cancelled')
  stage.model.assertUsed()
  await stage.check()
})

it(
  keeps(
    'head-start.provider-fails',
    'a failure of its request is that of the first attempt, and the second one answers',
  ),
  async () => {
    const stage = await openSwept()
    const { url } = await stage.start('all')
    const cue = stage.model.script({ fail: 500 }, { say: 'Second.' })
    const stream = await stage.chat(url, cue, { conversation_id: await stage.conversation(url) })
    expect((await stream.untilFinal()).type).toBe('message_end')
    const { body } = await stage.call(url, `/api/v1/turns/${stream.events[0]!.data.turn_id}/log`)
    const entries = body.entries as { kind: string; status: string; attempt: number }[]
    expect(entries.filter(({ kind }) => kind === 'model_call').map(({ status, attempt }) => [status, attempt])).toEqual(
      [
        ['failed', 1],
        ['completed', 2],
      ],
    )
    expect(await stage.rows('select fence from model_usage order by fence')).toEqual([{ fence: 0 }, { fence: 2 }])
    stage.model.assertUsed()
    await stage.check()
  },
)

it(
  keeps('head-start.counted', 'with 32 turns at once and two workers the model is asked at most 1.01 times a turn'),
  async () => {
    const AT_ONCE = 32
    const ROUNDS = 4
    const stage = await openSwept()
    const { url } = await stage.start('all')
    await stage.start('worker')
    const end = stage.model.otherwise({ say: manyWords('word', 12), pieces_per_second: 60 })
    const chats = Array.from({ length: AT_ONCE }, async () => {
      const conversation_id = await stage.conversation(url)
      for (let n = 0; n < ROUNDS; n += 1) {
        const stream = await stage.chat(url, `message ${n}`, { conversation_id })
        expect((await stream.untilFinal()).type).toBe('message_end')
      }
    })
    await Promise.all(chats)
    end()
    const requests = stage.model.calls() / (AT_ONCE * ROUNDS)
    console.log(`${requests} model requests a turn`)
    expect(requests).toBeLessThanOrEqual(1.01)
    await stage.check()
  },
)

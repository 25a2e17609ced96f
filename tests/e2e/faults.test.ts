// What everything stands on goes away for a while: Temporal and Postgres are killed with -9.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import type { SseClient } from '../support/sse-client.ts'
import { openStage, type DatabaseName, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

interface Scene {
  stage: Stage
  api: Muxi
}

async function open(database: DatabaseName): Promise<Scene> {
  const stage = await openStage({ database, env: { MUXI_ENGINE_SWEEP_MS: '2000' } })
  onTestFinished(() => stage.close())
  await stage.start('worker')
  return { stage, api: await stage.start('api') }
}

/** Sends a message in the background. */
function send({ stage, api }: Scene, content: string, conversation_id: string) {
  const body = { content, conversation_id, background: true }
  return stage.call(api.url, '/api/v1/agents/scripted/chat', { body, headers: { 'idempotency-key': content } })
}

/** Sends a message until it is accepted, and follows it. */
async function sendUntilAccepted(scene: Scene, content: string, conversation_id: string): Promise<SseClient> {
  await expect
    .poll(async () => (await send(scene, content, conversation_id)).status, { timeout: 60_000, interval: 200 })
    .toBe(202)
  const { body } = await send(scene, content, conversation_id)
  return scene.stage.follow(scene.api.url, body.turn_id)
}

/** The whole stream of a turn, over as many connections as it takes. */
async function followToTheEnd({ stage, api }: Scene, stream: SseClient): Promise<SseClient> {
  const turnId = stream.events[0]!.data.turn_id as string
  await expect
    .poll(async () => (await stage.turn(api.url, turnId)).status, { timeout: 60_000, interval: 200 })
    .toBe('completed')
  const replay = await stage.follow(api.url, turnId)
  await replay.ended
  return replay
}

it(
  keeps(
    'faults.temporal',
    'kill -9 of Temporal, back after 5 s: 503 with Retry-After meanwhile, the running turn, the message behind it and the refused one are answered',
  ),
  async () => {
    const scene = await open('sqlite')
    const { stage, api } = scene
    const reply = manyWords('word', 300)
    // However often it is asked: an attempt without heartbeats is abandoned.
    const end = stage.model.otherwise({ say: reply, pieces_per_second: 40 })
    const conversation = await stage.conversation(api.url)
    const stream = await stage.chat(api.url, 'Talk on', { conversation_id: conversation })
    await stream.waitFor(({ id }) => id >= 12)
    const [behind, next] = [stage.model.script({ say: 'Behind.' }), stage.model.script({ say: 'Here again.' })]
    const idle = await stage.conversation(api.url)
    stage.temporal!.kill()
    await stage.temporal!.ended
    const back = sleep(5_000).then(() => stage.restartTemporal())
    const [waiting, refused, ready] = await Promise.all([
      send(scene, behind, conversation),
      send(scene, next, idle),
      stage.call(api.url, '/readyz'),
    ]).finally(() => back)
    expect([waiting.status, waiting.body]).toMatchObject([
      202,
      { position: 1, waits_for: stream.events[0]!.data.turn_id },
    ])
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 5])
    expect([ready.status, ready.headers.has('retry-after')]).toEqual([503, true])
    const second = await sendUntilAccepted(scene, next, idle)
    expect((await second.untilFinal()).type).toBe('message_end')
    const first = await followToTheEnd(scene, stream)
    expect(first.events.slice(0, stream.events.length)).toMatchObject(
      stream.events.map(({ id, type }) => ({ id, type })),
    )
    expect((await (await stage.follow(api.url, waiting.body.turn_id)).untilFinal()).type).toBe('message_end')
    expect((await stage.turn(api.url, stream.events[0]!.data.turn_id)).message.agent_response.content).toBe(reply)
    end()
    await stage.check()
  },
)

it(
  keeps(
    'faults.postgres',
    'kill -9 of Postgres while a reply streams: 503 with Retry-After meanwhile, the turn ends, the refused message is answered',
  ),
  async () => {
    const scene = await open('postgres')
    const { stage, api } = scene
    const words = (name: string) => ({ say: manyWords(name, 100), pieces_per_second: 40 })
    const end = stage.model.otherwise(words('word'))
    const conversation = await stage.conversation(api.url)
    const stream = await stage.chat(api.url, 'Talk on', { conversation_id: conversation })
    await stream.waitFor(({ id }) => id >= 12)
    await stage.postgres!.kill()
    const [refused, upload] = await Promise.all([
      send(scene, 'Are you there?', conversation),
      stage.call(api.url, '/api/v1/conversations', { body: { agent_id: 'scripted' } }),
    ])
    for (const { status, headers } of [refused, upload])
      expect([status, Number(headers.get('retry-after'))]).toEqual([503, 2])
    expect((await stage.call(api.url, '/readyz')).body.error.details.database).toBe('unreachable')
    await sleep(3_000)
    await stage.postgres!.restart()
    const second = await sendUntilAccepted(scene, 'Are you there?', conversation)
    expect((await second.untilFinal()).type).toBe('message_end')
    const first = await followToTheEnd(scene, stream)
    expect(first.events.slice(0, stream.events.length)).toMatchObject(
      stream.events.map(({ id, type }) => ({ id, type })),
    )
    end()
    await stage.check({ unsent: 2 })
  },
)

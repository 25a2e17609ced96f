// What everything stands on goes away for a while: Temporal and Postgres are killed with -9, a worker is stopped.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import type { SseClient } from '../support/sse-client.ts'
import { openStage, type DatabaseName, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

interface Scene {
  stage: Stage
  api: Muxi
  worker: Muxi
}

async function open(database: DatabaseName): Promise<Scene> {
  const stage = await openStage({ database, env: { MUXI_ENGINE_SWEEP_MS: '2000' } })
  onTestFinished(() => stage.close())
  return { stage, api: await stage.start('api'), worker: await stage.start('worker') }
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
    'kill -9 of Temporal, back after 5 s: 503 with Retry-After meanwhile, the turn under way and the refused message are answered',
  ),
  async () => {
    const scene = await open('sqlite')
    const { stage, api } = scene
    const reply = manyWords('word', 300)
    const cue = stage.model.script({ say: reply, pieces_per_second: 20 })
    const conversation = await stage.conversation(api.url)
    const stream = await stage.chat(api.url, cue, { conversation_id: conversation })
    await stream.waitFor(({ id }) => id >= 12)
    const next = stage.model.script({ say: 'Here again.' })
    stage.temporal!.kill()
    await stage.temporal!.ended
    const back = sleep(5_000).then(() => stage.restartTemporal())
    const refused = await send(scene, next, conversation)
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 5])
    const ready = await stage.call(api.url, '/readyz')
    expect([ready.status, ready.headers.has('retry-after')]).toEqual([503, true])
    await back
    const second = await sendUntilAccepted(scene, next, conversation)
    expect((await second.untilFinal()).type).toBe('message_end')
    const first = await followToTheEnd(scene, stream)
    expect(first.events.slice(0, stream.events.length)).toMatchObject(
      stream.events.map(({ id, type }) => ({ id, type })),
    )
    expect((await stage.turn(api.url, stream.events[0]!.data.turn_id)).message.agent_response.content).toBe(reply)
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

it.each(['sqlite', 'postgres'] as const)(
  keeps(
    'faults.worker-stopped',
    'a worker that is stopped for 8 s is fenced on %s: another one tells the text again, its own late words are refused',
  ),
  async (database) => {
    const scene = await open(database)
    const { stage, api, worker } = scene
    const reply = manyWords('second', 150)
    const cue = stage.model.script(
      { say: manyWords('first', 400), pieces_per_second: 40 },
      { say: reply, pieces_per_second: 10 },
    )
    const stream = await stage.chat(api.url, cue, { conversation_id: await stage.conversation(api.url) })
    await stream.waitFor(({ type, data }) => type === 'content' && data.content.includes('first-'))
    await stage.start('worker')
    worker.signal('SIGSTOP')
    const next = stage.model.script({ say: 'Not delayed.' })
    const other = stage.chat(api.url, next, { conversation_id: await stage.conversation(api.url) })
    await sleep(8_000)
    expect(stream.events.filter(({ type }) => type === 'content_reset')).toHaveLength(1)
    worker.signal('SIGCONT')
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect((await (await other).untilFinal()).type).toBe('message_end')
    expect(stream.events.filter(({ type }) => type === 'content_reset')).toHaveLength(1)
    const { turn_id } = stream.events[0]!.data
    expect((await stage.turn(api.url, turn_id)).message.agent_response.content).toBe(reply)
    const { entries } = (await stage.call(api.url, `/api/v1/turns/${turn_id}/log`)).body
    expect(entries.map(({ kind, status }: Record<string, string>) => `${kind} ${status}`)).toEqual([
      'model_call interrupted',
      'model_call completed',
    ])
    await stage.check()
  },
)

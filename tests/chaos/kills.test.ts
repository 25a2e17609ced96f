// Minutes of chat while processes are killed at random: API, two workers and the Temporal server, each started again.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const MINUTES = Number(process.env['MUXI_TEST_CHAOS_MINUTES'] ?? 5)
const CLIENTS = 6
/** Longest time in which a turn must end, kills included. */
const TURN_MS = 120_000

/** Numbers in 0 to 1, the same for the same seed, so that a failure can be told again. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

it('every message is answered exactly once, whatever is killed meanwhile', async () => {
  const seed = Number(process.env['MUXI_TEST_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`seed ${seed}, ${MINUTES} minutes`)
  const random = randomFrom(seed)
  const env = {
    MUXI_ENGINE_SWEEP_MS: '5000',
    MUXI_ENGINE_CONVERSATION_IDLE_MS: '500',
    MUXI_ENGINE_CONVERSATION_MAX_UPDATES: '10',
  }
  const stage = await openStage({ env })
  onTestFinished(() => stage.close())
  const port = await freePort()
  const cast: { api: Muxi; workers: Muxi[] } = {
    api: await stage.start('api', { port }),
    workers: [await stage.start('worker'), await stage.start('worker')],
  }
  stage.model.otherwise({ say: manyWords('word', 60), pieces_per_second: 60 })
  const end = Date.now() + MINUTES * 60_000
  const outcomes: Record<string, number> = {}
  const clients = Array.from({ length: CLIENTS }, (_, n) => chatUntil(stage, cast.api.url, n, end, outcomes))
  let kills = 0
  while (Date.now() < end) {
    await sleep(4_000 + random() * 6_000)
    kills += 1
    const choice = random()
    if (choice < 0.25) {
      await cast.api.kill()
      cast.api = await stage.start('api', { port })
    } else if (choice < 0.85) {
      const index = random() < 0.5 ? 0 : 1
      await cast.workers[index]!.kill()
      cast.workers[index] = await stage.start('worker')
    } else {
      stage.temporal!.kill()
      await stage.temporal!.ended
      await stage.restartTemporal()
    }
  }
  await Promise.all(clients)
  console.log(`${kills} kills; turns: ${JSON.stringify(outcomes)}`)
  expect(outcomes['message_end'] ?? 0).toBeGreaterThan(MINUTES * 5)
  // What nobody waits for any more (a message whose receipt was lost) must end as well.
  const open = () => stage.rows('select id from turns where finished_at is null').length
  await expect.poll(open, { timeout: 120_000, interval: 1_000 }).toBe(0)
  stage.check({ unsent: kills * CLIENTS })
})

/** One person: a message, its whole answer whatever it takes, the next message. */
async function chatUntil(
  stage: Stage,
  url: string,
  client: number,
  end: number,
  outcomes: Record<string, number>,
): Promise<void> {
  let conversation_id: string | undefined
  for (let n = 1; Date.now() < end; n += 1) {
    conversation_id ??= await stage.conversation(url, { user_id: `client-${client}` }).catch(() => undefined)
    if (!conversation_id) {
      await sleep(200)
      continue
    }
    const deadline = Date.now() + TURN_MS
    const outcome = await answerTo(
      stage,
      url,
      { content: `message ${n} of ${client}`, conversation_id, user_id: `client-${client}` },
      deadline,
    )
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
}

/** Sends until it is accepted, under one Idempotency-Key, then follows until the end. @returns the type of the final event */
async function answerTo(stage: Stage, url: string, body: Record<string, unknown>, deadline: number): Promise<string> {
  const headers = { 'idempotency-key': String(body['content']) }
  let turnId: string | undefined
  let last = 0
  while (Date.now() < deadline) {
    if (turnId === undefined) {
      const answer = await stage
        .call(url, '/api/v1/agents/scripted/chat', { body: { ...body, background: true }, headers })
        .catch(() => undefined)
      turnId = answer?.body?.turn_id
      if (turnId === undefined) await sleep(200)
      continue
    }
    const stream = await stage.follow(url, turnId, last).catch(() => undefined)
    await stream?.ended
    if (stream && stream.events.length > 0) expect(stream.events[0]!.id).toBe(last + 1)
    last = Math.max(last, stream?.lastId ?? 0)
    if (stream?.final) return stream.final.type
    await sleep(100)
  }
  throw new Error(`'${String(body['content'])}' had no answer in ${TURN_MS} ms (turn ${turnId}, after event ${last})`)
}

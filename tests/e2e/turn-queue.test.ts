// The queue of a conversation and the acceptance of messages, while processes are killed and calls to Temporal are lost.
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Cast } from '../support/cast.ts'
import { openGate } from '../support/gate.ts'
import { HeldReply } from '../support/held-reply.ts'
import { LONG } from '../support/long.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { type Strike, strikeAll, strikesOf } from '../support/nemesis.ts'
import { HANG } from '../support/scripted-model.ts'
import { type Answer, type Muxi, openStage, type Stage, type StageOptions } from '../support/stage.ts'
import { cancel, expectStatus, send, SOON_SWEPT, SWEPT_MS, turnRow } from '../support/turns.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 11)

async function open(options: StageOptions = {}): Promise<Stage> {
  const stage = await openStage({ ...options, env: { MUXI_ENGINE_SWEEP_MS: '1000', ...options.env } })
  onTestFinished(() => stage.close())
  return stage
}

async function temporalClient(stage: Stage): Promise<Client> {
  const connection = await Connection.connect({ address: stage.temporal!.address })
  onTestFinished(() => connection.close())
  return new Client({ connection })
}

function isStarted(client: Client, turnId: string): Promise<boolean> {
  return client.workflow
    .getHandle(`turn/${turnId}`)
    .describe()
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return false
        throw error
      },
    )
}

describe('processes that are killed', () => {
  const MESSAGES = LONG ? 120 : 72
  const CLIENTS = 3
  const CONVERSATIONS = 5
  const SPAN_MS = LONG ? 25_000 : 15_000

  it(
    keeps('queue.killed', `${MESSAGES} messages into ${CONVERSATIONS} conversations end once each, in order`),
    async () => {
      console.log(`MUXI_TEST_SEED=${SEED}`)
      const stage = await open()
      const cast = await Cast.start(stage, { apis: 1, workers: 1 })
      onTestFinished(() => cast.leave())
      const [url] = cast.urls as [string]
      const end = stage.model.otherwise({ say: manyWords('word', 8), pieces_per_second: 60 })
      const conversations = await Promise.all(Array.from({ length: CONVERSATIONS }, () => stage.conversation(url)))
      const victims = ['api 1', 'worker 1', 'both', 'temporal'].map((victim) => ({ victim, weight: 1 }))
      const strikes = strikesOf(SEED, SPAN_MS, victims, { pause_ms: [2_500, 5_000], stops: 0 })
      const both = {
        strike: async (strike: Strike) => {
          const struck = strike.victim === 'both' ? ['api 1', 'worker 1'] : [strike.victim]
          await Promise.all(struck.map((victim) => cast.strike({ ...strike, victim })))
        },
      }

      const accepted: { conversation_id: string; client: number; turn_id: string }[] = []
      const answers: Record<string, number> = {}
      const sendUntilAnswered = async (client: number, n: number) => {
        const conversation_id = conversations[(client + n) % CONVERSATIONS]!
        const on_busy = ['queue', 'queue', 'interrupt', 'queue', 'reject'][(client * 2 + n) % 5]!
        const key = `${client}-${n}`
        for (const deadline = Date.now() + 120_000; ;) {
          if (Date.now() > deadline)
            throw new Error(`message ${key} got no answer; there were ${JSON.stringify(answers)}`)
          const answer = await send(stage, url, `message ${key}`, { conversation_id, on_busy, key }).catch(
            () => undefined,
          )
          const status = String(answer?.status ?? 'none')
          answers[status] = (answers[status] ?? 0) + 1
          if (answer?.status === 202)
            return void accepted.push({ conversation_id, client, turn_id: answer.body.turn_id as string })
          if (answer?.status === 409) return
          expect(['503', 'none']).toContain(status)
          await sleep(200)
        }
      }
      const clients = Array.from({ length: CLIENTS }, async (_, client) => {
        const mine = Math.floor((MESSAGES + client) / CLIENTS)
        const begun = Date.now()
        for (let n = 0; n < mine; n += 1) {
          await sendUntilAnswered(client, n)
          await sleep(Math.max(0, begun + ((n + 1) * SPAN_MS) / mine - Date.now()))
        }
      })
      await Promise.all([strikeAll(both, strikes), ...clients])
      expect(cast.lost).toEqual([])
      await expect
        .poll(() => stage.rows('select id, status from turns where finished_at is null'), {
          timeout: SWEPT_MS,
          interval: 200,
        })
        .toEqual([])
      end()

      const rows = await stage.rows('select * from turns order by id')
      const kept = rows.filter(({ status, accepted_at }) => status !== 'failed' || accepted_at !== null)
      expect(kept.map(({ id }) => id)).toEqual(accepted.map(({ turn_id }) => turn_id).toSorted())
      expect(kept.filter(({ status }) => status === 'failed')).toEqual([])
      expect(kept.filter(({ status }) => status === 'completed').length).toBeGreaterThan(MESSAGES / 4)
      for (const conversation_id of conversations) {
        const begun = kept
          .filter((row) => row['conversation_id'] === conversation_id && row['started_at'] !== null)
          .toSorted((a, b) => (String(a['started_at']) < String(b['started_at']) ? -1 : 1))
        const overlapping = begun.filter((row, i) => i > 0 && row['started_at']! < begun[i - 1]!['finished_at']!)
        expect(overlapping).toEqual([])
        const queued = begun.filter(({ on_busy }) => on_busy !== 'interrupt').map(({ id }) => String(id))
        expect(queued).toEqual(queued.toSorted())
      }
      await stage.check({ unsent: strikes.length * CONVERSATIONS })
    },
    300_000,
  )

  it(
    keeps(
      'queue.next-started',
      'kill -9 after a turn has ended and before the next one is started: it is started after the restart',
    ),
    async () => {
      const stage = await open()
      const gate = await openGate(stage.temporal!.address)
      const client = await temporalClient(stage)
      const doomed = await stage.start('all', { env: { TEMPORAL_ADDRESS: gate.address } })
      const conversation_id = await stage.conversation(doomed.url)
      const held = new HeldReply()
      const cue = stage.model.script({ say: manyWords('one', 40), held })
      const next = stage.model.script({ say: 'Two.' })
      const first = await stage.chat(doomed.url, cue, { conversation_id })
      await first.waitFor('content')
      const waiting = await send(stage, doomed.url, next, { conversation_id })
      expect(waiting.body).toMatchObject({ position: 1, waits_for: first.events[0]!.data.turn_id })
      const turn_id: string = waiting.body.turn_id
      // The text of a head start comes before the activity.
      await expectStatus(stage, first.events[0]!.data.turn_id, 'running')
      gate.shut()
      held.release()
      await expectStatus(stage, first.events[0]!.data.turn_id, 'completed')
      expect((await turnRow(stage, turn_id))['activated_at']).not.toBeNull()
      expect(await isStarted(client, turn_id)).toBe(false)
      await doomed.kill()
      const again = await stage.start('all')
      expect((await (await stage.follow(again.url, turn_id)).untilFinal()).type).toBe('message_end')
      stage.model.assertUsed()
      await stage.check()
    },
  )

  it(keeps('queue.terminated', 'a turn whose workflow is terminated fails, and the next one runs'), async () => {
    const stage = await open({ env: SOON_SWEPT })
    const { url } = await stage.start('all')
    const conversation_id = await stage.conversation(url)
    const first = await send(stage, url, stage.model.script(HANG), { conversation_id })
    const second = await send(stage, url, stage.model.script({ say: 'Two.' }), { conversation_id })
    await expectStatus(stage, first.body.turn_id, 'running')
    const client = await temporalClient(stage)
    await client.workflow.getHandle(`turn/${first.body.turn_id}`).terminate('by a test')
    expect((await (await stage.follow(url, second.body.turn_id)).untilFinal()).type).toBe('message_end')
    const turn = await stage.turn(url, first.body.turn_id)
    expect([turn.status, turn.error.code]).toEqual(['failed', 'internal_error'])
    stage.model.assertUsed()
    await stage.check()
  })
})

describe('a turn that waits for an approval', () => {
  const openWithTool = async (label: string) => {
    const stage = await open({ env: { MUXI_MCP_COMMANDS: NODE } })
    const worker = await stage.start('worker')
    const api = await stage.start('api')
    const server = { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] }
    const added = await stage.call(api.url, '/api/v1/agents/scripted/mcp_servers', { body: server })
    expect(added.status, added.text).toBe(201)
    const ask = (n: number) => ({ call: [{ name: 'faulty__count', arguments: { label: `${label} ${n}` } }] })
    const park = async (url: string, cue: string) => {
      const conversation_id = await stage.conversation(url)
      const { body } = await send(stage, url, cue, { conversation_id })
      await expectStatus(stage, body.turn_id, 'awaiting_approval')
      return { conversation_id, turn_id: body.turn_id as string }
    }
    return { stage, worker, api, ask, park }
  }

  it(
    keeps('queue.parked', 'others wait behind it over a restart of everything, and run in order once it is decided'),
    async () => {
      const { stage, worker, api, ask, park } = await openWithTool('parked')
      const { conversation_id, turn_id } = await park(api.url, stage.model.script(ask(1), { say: 'One.' }))
      const waiting = []
      for (const say of ['Two.', 'Three.'])
        waiting.push((await send(stage, api.url, stage.model.script({ say }), { conversation_id })).body)
      expect(waiting).toMatchObject([1, 2].map((position) => ({ position, waits_for: turn_id })))
      await Promise.all([api.kill(), worker.kill()])
      process.kill(stage.temporal!.pid, 'SIGKILL')
      await stage.temporal!.ended
      await stage.restartTemporal()
      await stage.start('worker')
      const { url } = await stage.start('api')
      for (const [index, { turn_id: id }] of waiting.entries())
        expect(await stage.turn(url, id)).toMatchObject({ status: 'queued', position: index + 1, waits_for: turn_id })
      const { approvals } = await stage.turn(url, turn_id)
      const decided = await stage.call(url, `/api/v1/turns/${turn_id}/approvals/${approvals[0].id}`, {
        body: { decision: 'approve' },
      })
      expect(decided.status, decided.text).toBe(200)
      for (const { turn_id: id } of waiting) await expectStatus(stage, id, 'completed')
      const rows = await stage.rows(
        'select id, status from turns where conversation_id = ? order by started_at',
        conversation_id,
      )
      expect(rows).toEqual([turn_id, ...waiting.map((each) => each.turn_id)].map((id) => ({ id, status: 'completed' })))
      stage.model.assertUsed()
      await stage.check()
    },
  )

  it(
    keeps(
      'queue.lost-cancel',
      'a cancel and an interrupt whose call to Temporal was lost are completed by the sweeper',
    ),
    async () => {
      const { stage, api, ask, park } = await openWithTool('lost')
      const gate = await openGate(stage.temporal!.address)
      const doomed = await stage.start('api', { env: { TEMPORAL_ADDRESS: gate.address } })
      const cancelled = await park(api.url, stage.model.script(ask(1)))
      const interrupted = await park(api.url, stage.model.script(ask(2)))
      const next = await send(stage, api.url, stage.model.script({ say: 'Two.' }), {
        conversation_id: cancelled.conversation_id,
      })
      expect(next.body).toMatchObject({ position: 1, waits_for: cancelled.turn_id })
      gate.shut()
      const { conversation_id } = interrupted
      const by = await send(stage, doomed.url, stage.model.script({ say: 'Instead.' }), {
        conversation_id,
        on_busy: 'interrupt',
      })
      expect([by.status, by.body]).toMatchObject([202, { position: 1, waits_for: interrupted.turn_id }])
      const lost = cancel(stage, doomed.url, cancelled.turn_id).catch(() => 'cut')
      await expect
        .poll(() => stage.rows('select id from turns where cancel_requested_at is not null'), { interval: 20 })
        .toHaveLength(2)
      await doomed.kill()
      expect(await lost).toBe('cut')
      // Only now: the sweeper of the other worker still skips these turns.
      await stage.start('worker', { env: { MUXI_ENGINE_SWEEP_AGE_MS: '1000' } })
      for (const { turn_id } of [cancelled, interrupted]) await expectStatus(stage, turn_id, 'cancelled')
      for (const { body } of [next, by]) await expectStatus(stage, body.turn_id, 'completed')
      stage.model.assertUsed()
      await stage.check()
      expect(stage.counted()).toEqual([])
    },
  )
})

describe('acceptance', () => {
  let stage: Stage
  let all: Muxi
  beforeAll(async () => {
    stage = await openStage({ env: { MUXI_ENGINE_SWEEP_MS: '1000' } })
    all = await stage.start('all')
  })
  afterAll(() => stage.close())

  /** Another API, whose way to Temporal a test can close. */
  const openApi = async () => {
    const gate = await openGate(stage.temporal!.address)
    const api = await stage.start('api', { env: { TEMPORAL_ADDRESS: gate.address } })
    onTestFinished(() => api.kill())
    return { gate, url: api.url }
  }

  it(keeps('cancel.race', 'a cancel that races the end never succeeds for a turn that stays completed'), async () => {
    const { url } = all
    const end = stage.model.otherwise({ say: manyWords('word', 6), pieces_per_second: 200 })
    const outcomes: Record<string, number> = {}
    // Each lane moves its delay towards the moment at which the turn ends.
    const lane = async (tries: number) => {
      const conversation_id = await stage.conversation(url)
      let delay = 60
      for (let n = 0; n < tries; n += 1) {
        const { body } = await send(stage, url, `try ${n}`, { conversation_id })
        await sleep(delay)
        const answer = await cancel(stage, url, body.turn_id)
        await expect
          .poll(async () => (await turnRow(stage, body.turn_id))['finished_at'], { interval: 5 })
          .not.toBeNull()
        const outcome = `${answer.status} ${String((await turnRow(stage, body.turn_id))['status'])}`
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        // In proportion, so that it gets there on a slow machine as well.
        delay = answer.status === 200 ? delay * 1.2 + (n % 5) : delay * 0.85
      }
    }
    await Promise.all(Array.from({ length: 3 }, () => lane(30)))
    end()
    console.log(JSON.stringify(outcomes))
    // Both sides have won.
    expect(Object.keys(outcomes).toSorted()).toEqual(['200 cancelled', '409 completed'])
    await stage.check({ unsent: 90 })
  })

  it(
    keeps(
      'idempotency.acceptance',
      'a start that Temporal took but never answered is 503, its repetition the receipt, and the turn runs once',
    ),
    async () => {
      const { gate, url } = await openApi()
      const conversation_id = await stage.conversation(url)
      const cue = stage.model.script({ say: 'Once.' })
      gate.dropAnswers()
      const refused = await send(stage, url, cue, { conversation_id, key: 'unknown' })
      expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
      gate.open()
      const repeated = await send(stage, url, cue, { conversation_id, key: 'unknown' })
      expect([repeated.status, repeated.body.position]).toEqual([202, 0])
      expect((await (await stage.follow(url, repeated.body.turn_id)).untilFinal()).type).toBe('message_end')
      expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(1)
      stage.model.assertUsed()
      await stage.check()
    },
  )

  it(
    keeps(
      'idempotency.acceptance',
      'repetitions while the start is in progress, after it was lost and after the end are one turn',
    ),
    async () => {
      const { gate, url } = await openApi()
      const conversation_id = await stage.conversation(url)
      const held = new HeldReply()
      const [cue, next] = [stage.model.script({ say: manyWords('one', 30), held }), stage.model.script({ say: 'Two.' })]
      const first = () => send(stage, url, cue, { conversation_id, key: 'first' })
      const second = () => send(stage, url, next, { conversation_id, key: 'second' })
      gate.shut()
      const refused = await Promise.all([first(), first(), first()])
      expect(refused.map(({ status }) => status)).toEqual([503, 503, 503])
      gate.open()
      const started = await Promise.all([first(), first()])
      expect(started.map(({ status, body }) => [status, body.position])).toEqual([
        [202, 0],
        [202, 0],
      ])
      const [{ body }] = started as [Answer, Answer]
      await (await stage.follow(url, body.turn_id)).waitFor('content')
      expect((await first()).body.turn_id).toBe(body.turn_id)
      const waiting = await Promise.all([second(), second()])
      expect(waiting.map((each) => each.body)).toMatchObject(
        waiting.map(() => ({ turn_id: waiting[0]!.body.turn_id, position: 1, waits_for: body.turn_id })),
      )
      held.release()
      await expectStatus(stage, waiting[0]!.body.turn_id, 'completed')
      expect((await second()).body).toMatchObject({ turn_id: waiting[0]!.body.turn_id, position: 0 })
      expect((await first()).body).toMatchObject({ turn_id: body.turn_id, position: 0 })
      expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(2)
      stage.model.assertUsed()
      await stage.check()
    },
  )

  it(
    keeps(
      'queue.temporal-away',
      'while Temporal is away an idle conversation refuses a message, and a busy one takes it',
    ),
    async () => {
      const { gate, url } = await openApi()
      const [busy, idle] = [await stage.conversation(url), await stage.conversation(url)]
      const held = new HeldReply()
      const first = await send(stage, url, stage.model.script({ say: manyWords('one', 60), held }), {
        conversation_id: busy,
      })
      await expectStatus(stage, first.body.turn_id, 'running')
      gate.shut()
      const taken = await send(stage, url, stage.model.script({ say: 'Two.' }), { conversation_id: busy })
      expect([taken.status, taken.body]).toMatchObject([202, { position: 1, waits_for: first.body.turn_id }])
      const cue = stage.model.script({ say: 'Three.' })
      const refused = await send(stage, url, cue, { conversation_id: idle, key: 'idle' })
      expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
      gate.open()
      held.release()
      const repeated = await send(stage, url, cue, { conversation_id: idle, key: 'idle' })
      expect(repeated.status).toBe(202)
      for (const { body } of [taken, repeated]) await expectStatus(stage, body.turn_id, 'completed')
      stage.model.assertUsed()
      await stage.check()
    },
  )
})

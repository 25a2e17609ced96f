// Two APIs and two workers over one Postgres: work that one has started continues in any other.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { holdAfter } from '../support/held-rows.ts'
import { isLeftOutOnDeno } from '../support/long.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { SseClient, type SeenEvent } from '../support/sse-client.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

if (isLeftOutOnDeno) console.log('postgres.killed of postgres.test.ts is skipped on Deno: it would take 20 s')

let stage: Stage
let [here, there]: Muxi[] = []
let workers: Muxi[]
beforeAll(async () => {
  stage = await openStage({ database: 'postgres' })
  here = await stage.start('api')
  there = await stage.start('api')
  workers = [await stage.start('worker'), await stage.start('worker')]
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check({ unsent: 1 })
})
afterAll(() => stage.close())

const search = async (api: Muxi, query: string) =>
  (await stage.call(api.url, `/api/v1/agents/offline/knowledge/search?query=${encodeURIComponent(query)}`)).body.results

it(keeps('postgres.turn', 'a turn accepted at one API is streamed, cut and resumed at the other'), async () => {
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('word', 200), held })
  const first = await stage.chat(here!.url, cue, { conversation_id: await stage.conversation(there!.url) })
  const { data } = await first.waitFor('message_start')
  const whole = await stage.follow(there!.url, data.turn_id)
  await first.shows('word-9 ')
  first.cut()
  await first.ended
  const second = await stage.follow(there!.url, data.turn_id, first.lastId)
  held.release()
  expect((await second.untilFinal()).type).toBe('message_end')
  await whole.untilFinal()
  expect(first.raw + second.raw).toBe(whole.raw)
  const replay = await stage.follow(here!.url, data.turn_id)
  await replay.ended
  expect(replay.raw).toBe(whole.raw)
})

it(keeps('postgres.turn', 'a turn is cancelled at the other API, and its model call ends at once'), async () => {
  const cue = stage.model.script({ say: manyWords('word', 40), held: new HeldReply() })
  const stream = await stage.chat(here!.url, cue, { conversation_id: await stage.conversation(here!.url) })
  const { data } = await stream.waitFor('message_start')
  await stream.shows('word-9 ')
  const answer = await stage.call(there!.url, `/api/v1/turns/${data.turn_id}/cancel`, { method: 'POST' })
  expect([answer.status, answer.body.status]).toEqual([200, 'cancelled'])
  expect((await stream.untilFinal()).type).toBe('cancelled')
  await expect.poll(() => stage.model.served.at(-1)?.closed_at, { interval: 10 }).toBeDefined()
  expect(stage.model.served.at(-1)!.finished).toBe(false)
})

it(keeps('feed.changes', 'of what one API of two changes, at the other within a second'), async () => {
  const headers = { authorization: `Bearer ${stage.key}` }
  const feed = await SseClient.open(`${there!.url}/api/v1/events?topics=conversations,turns`, { headers })
  const began = new Stopwatch()
  const id = await stage.conversation(here!.url)
  const of = (topic: string, changed: string) => (event: SeenEvent) =>
    event.data.topic === topic && event.data.id === changed
  const { at } = await feed.waitFor(of('conversations', id))
  expect(began.undisturbed(at)).toBeLessThan(1_000)
  const stream = await stage.chat(here!.url, stage.model.script({ say: 'Words.' }), { conversation_id: id })
  await stream.untilFinal()
  const { turn_id } = stream.events[0]!.data
  const done = await feed.waitFor((event) => of('turns', turn_id)(event) && event.data.item.status === 'completed')
  expect(done.data.item).toEqual((await stage.call(there!.url, '/api/v1/turns?limit=1')).body.turns[0])
  feed.cut()
})

it(keeps('postgres.document', 'a PDF uploaded at one API is followed, found and cited at the other'), async () => {
  const file_id = await stage.upload(here!.url, 'lighthouses.pdf', pdf(numberedPages(120)))
  const body = { kind: 'document', file_id, agent_id: 'offline' }
  const { id } = (await stage.call(here!.url, '/api/v1/jobs', { body })).body
  const stream = await stage.followJob(there!.url, id)
  expect((await stream.untilFinal()).data.result).toMatchObject({ pages: 120 })
  expect(stream.events.map((event) => event.id)).toEqual(stream.events.map((_, index) => index + 1))
  for (const api of [here!, there!]) {
    expect((await search(api, 'keeper of lighthouse 77'))[0]).toMatchObject({ page: 77 })
    const answer = await stage.call(api.url, '/api/v1/agents/offline/chat', {
      body: {
        content: 'How many ships does the keeper of lighthouse 77 count?',
        conversation_id: await stage.conversation(api.url, { agent_id: 'offline' }),
      },
    })
    expect(answer.body.agent_response.content).toContain('539 ships')
    expect(answer.body.agent_response.content).toContain('(lighthouses.pdf, page 77)')
  }
})

it.skipIf(isLeftOutOnDeno)(
  keeps(
    'postgres.killed',
    'a turn and an ingestion continue when an API and a worker are killed, at the remaining API',
  ),
  async () => {
    const reply = manyWords('again', 300)
    const cue = stage.model.script(
      { say: manyWords('once', 40), held: new HeldReply() },
      { say: reply, pieces_per_second: 100 },
    )
    // So that the turn is owned by the worker that is killed.
    await workers[1]!.kill()
    const turn = await stage.chat(here!.url, cue, { conversation_id: await stage.conversation(here!.url) })
    const turnId = (await turn.waitFor('message_start')).data.turn_id as string
    await turn.waitFor('content')
    workers[1] = await stage.start('worker')
    const letGo = await holdAfter(stage, 'batches', 3)
    const file_id = await stage.upload(here!.url, 'lights.pdf', pdf(numberedPages(600)))
    const body = { kind: 'document', file_id, agent_id: 'offline' }
    const { id } = (await stage.call(here!.url, '/api/v1/jobs', { body })).body
    const job = await stage.followJob(here!.url, id)
    await job.waitFor(({ data }) => data.stage === 'parsing' && data.done === 150)
    await Promise.all([here!.kill(), workers[0]!.kill()])
    await Promise.all([turn.ended, job.ended])
    const parsed = await stage.rows('select batch, parses from job_batches where job_id = ? and pages is not null', id)
    expect(parsed).toHaveLength(3)
    await letGo()

    const restOfJob = await stage.followJob(there!.url, id, job.lastId)
    const restOfTurn = await stage.follow(there!.url, turnId, turn.lastId)
    expect((await restOfTurn.untilFinal()).type).toBe('message_end')
    expect((await restOfJob.untilFinal()).data.result).toMatchObject({ pages: 600 })
    for (const [before, after] of [
      [turn, restOfTurn],
      [job, restOfJob],
    ] as const)
      expect(after.events[0]?.id).toBe(before.lastId + 1)
    expect((await stage.turn(there!.url, turnId)).message.agent_response.content).toBe(reply)
    const again = await stage.rows('select batch, parses from job_batches where job_id = ?', id)
    expect(again).toEqual(expect.arrayContaining(parsed))
    expect((await search(there!, 'keeper of lighthouse 599'))[0]).toMatchObject({ page: 599 })
  },
)

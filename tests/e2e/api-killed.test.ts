// An API and a worker over one data folder; the API is killed with -9.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { openGate } from '../support/gate.ts'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { expectStatus, SOON_SWEPT } from '../support/turns.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage({ env: SOON_SWEPT })
  const api = await stage.start('api')
  await api.stop()
  await stage.start('worker')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

it(
  keeps('api-killed.turn-goes-on', 'the turn finishes while no API runs, and is whole when one runs again'),
  async () => {
    const api = await stage.start('api')
    const reply = manyWords('word', 60)
    const held = new HeldReply()
    const cue = stage.model.script({ say: reply, held })
    const stream = await stage.chat(api.url, `Please ${cue}`)
    const { data } = await stream.waitFor('content')
    expect(data.step).toBe(1)
    await api.kill()
    expect(await stream.ended).toBe('cut')
    expect(stream.final).toBeUndefined()
    held.release()
    const { turn_id } = stream.events[0]!.data
    await expectStatus(stage, turn_id, 'completed')
    const again = await stage.start('api')
    const turn = await stage.turn(again.url, turn_id)
    expect(turn.status).toBe('completed')
    expect(turn.message.agent_response.content).toBe(reply)
    expect(stage.model.calls(cue)).toBe(1)
    await again.stop()
  },
)

for (const where of ['the same', 'another'] as const) {
  it(
    keeps('api-killed.resume', `a client that goes on at ${where} port misses nothing and sees nothing twice`),
    async () => {
      const api = await stage.start('api')
      const port = where === 'the same' ? Number(new URL(api.url).port) : await freePort()
      const reply = manyWords('word', 120)
      const held = new HeldReply()
      const cue = stage.model.script({ say: reply, held })
      const first = await stage.chat(api.url, `Please ${cue}`)
      await first.shows('word-9 ')
      await api.kill()
      await first.ended
      const again = await stage.start('api', { port })
      const turnId = first.events[0]!.data.turn_id
      const second = await stage.follow(again.url, turnId, first.lastId)
      held.release()
      await second.untilFinal()
      expect(await second.ended).toBe('ended')
      const replay = await stage.follow(again.url, turnId)
      await replay.ended
      expect(first.raw + second.raw).toBe(replay.raw)
      expect([...first.events, ...second.events].map(({ id }) => id)).toEqual(replay.events.map(({ id }) => id))
      expect(stage.model.calls(cue)).toBe(1)
      await again.stop()
    },
  )
}

it(
  keeps(
    'api-killed.between-row-and-start',
    'the turn that Temporal never heard of fails as never accepted, and its message sent again under its key is another one',
  ),
  async () => {
    const way = await openGate(stage.temporal!.address)
    const api = await stage.start('api', { env: { TEMPORAL_ADDRESS: way.address } })
    const conversation_id = await stage.conversation(api.url)
    const cue = stage.model.script({ say: 'Here I am.' })
    const body = { content: `Please ${cue}`, conversation_id, background: true }
    const send = (url: string) =>
      stage.call(url, '/api/v1/agents/scripted/chat', { body, headers: { 'idempotency-key': 'between' } })
    way.shut()
    const sent = send(api.url).catch(() => 'cut')
    await expect.poll(() => turnsOf(conversation_id)).toHaveLength(1)
    await api.kill()
    expect(await sent).toBe('cut')
    const again = await stage.start('api')
    const [turn] = await turnsOf(conversation_id)
    const id = String(turn!['id'])
    await expect
      .poll(async () => (await stage.turn(again.url, id)).status, { timeout: 60_000, interval: 500 })
      .toBe('failed')
    expect((await stage.turn(again.url, id)).error.code).toBe('unavailable')
    const stream = await stage.follow(again.url, id)
    expect((await stream.untilFinal()).data.code).toBe('unavailable')
    const answers = await Promise.all([send(again.url), send(again.url)])
    expect(answers.map(({ status }) => status)).toEqual([202, 202])
    const next = answers[0]!.body.turn_id
    expect([answers[1]!.body.turn_id, await turnsOf(conversation_id)]).toEqual([next, [{ id }, { id: next }]])
    expect((await (await stage.follow(again.url, next)).untilFinal()).type).toBe('message_end')
    expect((await send(again.url)).body.turn_id).toBe(next)
    const [request] = stage.model.requests(cue)
    expect(request!.messages.filter(({ role }) => role === 'user')).toHaveLength(1)
    await again.stop()
  },
)

function turnsOf(conversationId: string) {
  return stage.rows('select id from turns where conversation_id = ? order by id', conversationId)
}

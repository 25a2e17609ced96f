// Streams of the client against a real server, through a proxy that breaks connections.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { Http } from '../../client/http.ts'
import { Turn } from '../../client/turns/turn.ts'
import { cutEach, sizesOf, streamThroughFaults } from '../support/client-trials.ts'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { expectStatus } from '../support/turns.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const connect = () => new Http({ serverUrl: muxi.url, apiKey: stage.key })

it(
  keeps('client.exactly-once', '20 streams through resets, early ends, silence and 502: every event once, in order'),
  async () => {
    const { followed, said, proxy } = await streamThroughFaults(stage, muxi.url, {
      streams: 20,
      at_once: 10,
      words: 40,
      seed: 19,
      share: 0.6,
      silence_ms: 1_000,
    })
    const injected = Object.entries(proxy.faults).flatMap(([fault, count]) => (count > 0 ? [fault] : []))
    expect(injected).toEqual(expect.arrayContaining(['cut', 'hang', 'refuse', 'reset']))
    for (const { ids } of followed) expect(ids).toEqual(ids.map((_, index) => index + 1))
    expect(followed.map(({ ids: _, ...rest }) => rest)).toEqual(
      followed.map(() => ({ printed: said, text: said, content: said, status: 'completed', turns: 1 })),
    )
    expect(followed).toHaveLength(20)
  },
)

it(
  keeps('client.one-turn', 'a message whose request or answer is cut anywhere makes one turn, and the same reply'),
  async () => {
    const said = 'Assam tea is malty.'
    const sizes = await sizesOf(stage, muxi.url, said)
    const cuts = (['request', 'answer'] as const).flatMap((of) =>
      [0, 0.3, 0.6, 0.9, 1].map((share) => ({ of, after: Math.floor(sizes[of] * share) })),
    )
    const seen = await cutEach(stage, muxi.url, said, cuts)
    expect(seen).toEqual(cuts.map((cut) => ({ ...cut, text: said, turns: 1 })))
  },
)

for (const how of ['started', 'resumed'] as const)
  it(keeps('client.two-ways-out', `leaving a ${how} turn leaves it running, cancelling ends it`), async () => {
    const held = new HeldReply()
    const said = manyWords('word', 40)
    const cue = stage.model.script({ say: said, held })
    const conversation_id = await stage.conversation(muxi.url)
    const begun = Turn.start(connect(), '/agents/scripted/chat/stream', { content: cue, conversation_id })
    for await (const { type } of begun) if (type === 'content') break
    const turn = how === 'started' ? begun : Turn.resume(connect(), begun.id!)
    for await (const { type } of turn) if (type === 'content') break
    await expectStatus(stage, begun.id!, 'running')
    held.release()
    expect(await turn.text()).toBe(said)

    const other = stage.model.script({ say: said, held: new HeldReply() })
    const second = Turn.start(connect(), '/agents/scripted/chat/stream', { content: other, conversation_id })
    for await (const { type } of second) if (type === 'content') break
    const stop = new AbortController()
    const stopped = how === 'started' ? second : Turn.resume(connect(), second.id!, { signal: stop.signal })
    const reading = stopped.messages()
    await reading.next()
    const message = await stopped.cancel()
    expect(message.status).toBe('cancelled')
    expect(said.startsWith(message.text)).toBe(true)
    expect((await stage.turn(muxi.url, second.id!)).message.agent_response.content).toBe(message.text)
  })

it(keeps('client.reducer', 'the message has tools and text as the record of the turn has them'), async () => {
  const call = { name: 'count', arguments: { label: 'tea' } }
  const cue = stage.model.script({ say: 'I count. ', call: [call] }, { say: 'Counted.' })
  const conversation_id = await stage.conversation(muxi.url)
  const turn = Turn.start(connect(), '/agents/scripted/chat/stream', { content: cue, conversation_id })
  const message = await turn.done()
  const { agent_response, usage, id, agent_id } = (await stage.turn(muxi.url, turn.id!)).message
  expect(message).toMatchObject({ id, agent_id, conversation_id, usage, text: agent_response.content })
  expect(message.tool_calls).toEqual(agent_response.tool_calls)
  expect(message.tool_calls).toMatchObject([
    { name: 'count', parameters: { label: 'tea' }, output: { counted: 'tea' } },
  ])
})

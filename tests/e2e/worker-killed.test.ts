// An API and two workers over one data folder; workers are killed with -9.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
beforeAll(async () => {
  stage = await openStage()
  api = await stage.start('api')
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check({ repeatable: ['again'] })
})

it(
  keeps(
    'worker-killed.other-worker',
    'withdraws the unfinished text and re-emits it in full, the next token within 10 s',
  ),
  async () => {
    const victim = await stage.start('worker')
    const reply = manyWords('second', 30)
    const cue = stage.model.script(
      { say: manyWords('first', 40), held: new HeldReply() },
      { say: reply, pieces_per_second: 100 },
    )
    const stream = await stage.chat(api.url, `Please ${cue}`, { conversation_id: await stage.conversation(api.url) })
    await stream.shows('first-9 ')
    const other = await stage.start('worker')
    await victim.kill()
    const killed = new Stopwatch()
    const next = await stream.waitFor(
      ({ type, data }) => type === 'content' && data.content.includes('second-'),
      60_000,
    )
    expect(killed.undisturbed(next.at)).toBeLessThan(10_000)
    await stream.untilFinal()
    expect(stream.events.filter(({ type }) => type === 'content_reset')).toHaveLength(1)
    const { message } = await stage.turn(api.url, stream.events[0]!.data.turn_id)
    expect(message.agent_response.content).toBe(reply)
    expect(stage.model.calls(cue)).toBe(2)
    await other.kill()
  },
)

it(
  keeps(
    'worker-killed.tool',
    'the effect of a non-idempotent tool happens once, and the model is told that its outcome is unknown',
  ),
  async () => {
    const victim = await stage.start('worker')
    const cue = stage.model.script(
      { say: 'I count. ', call: [{ name: 'count', arguments: { label: 'once', held: true } }] },
      { say: 'I do not know whether I counted.' },
    )
    const stream = await stage.chat(api.url, cue, { conversation_id: await stage.conversation(api.url) })
    await stream.waitFor('tool_call_start')
    await expect.poll(() => stage.counted(), { interval: 10 }).toContain('once')
    await victim.kill()
    const other = await stage.start('worker')
    expect((await stream.untilFinal()).type).toBe('message_end')
    const [end] = stream.events.filter(({ type }) => type === 'tool_call_end')
    expect([end?.data.is_error, end?.data.output]).toEqual([true, expect.stringContaining('unknown')])
    expect(stage.counted().filter((label) => label === 'once')).toHaveLength(1)
    expect(stage.model.requests(cue).at(-1)!.messages.at(-1)?.content).toContain('unknown')
    expect(stage.model.calls(cue)).toBe(2)
    await other.kill()
  },
)

it(
  keeps('worker-killed.tool', 'an idempotent tool runs again, and the client sees one call with one end'),
  async () => {
    const victim = await stage.start('worker')
    const cue = stage.model.script(
      { call: [{ name: 'count_again', arguments: { label: 'again', held: true } }] },
      { say: 'Counted.' },
    )
    const stream = await stage.chat(api.url, cue, { conversation_id: await stage.conversation(api.url) })
    await expect.poll(() => stage.counted(), { interval: 10 }).toContain('again')
    await victim.kill()
    stage.releaseTools()
    const other = await stage.start('worker')
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect(stream.events.map(({ type }) => type)).toEqual([
      'accepted',
      'message_start',
      'tool_call_start',
      'tool_call_end',
      'content',
      'message_end',
    ])
    expect(stage.counted().filter((label) => label === 'again')).toHaveLength(2)
    await other.kill()
  },
)

it(
  keeps('worker-killed.finished-step', 'neither the model call nor the tool call of the step before runs again'),
  async () => {
    const victim = await stage.start('worker')
    const cue = stage.model.script(
      { say: 'First. ', call: [{ name: 'count', arguments: { label: 'finished' } }] },
      { say: manyWords('lost', 40), held: new HeldReply() },
      { say: manyWords('kept', 20), pieces_per_second: 100 },
    )
    const stream = await stage.chat(api.url, cue, { conversation_id: await stage.conversation(api.url) })
    await stream.waitFor(({ type, data }) => type === 'content' && data.content.includes('lost-'))
    await victim.kill()
    const other = await stage.start('worker')
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect(
      stream.events.filter(({ type }) => type === 'content_reset').map(({ data }) => [data.step, data.content]),
    ).toEqual([[2, 'First. ']])
    expect(stage.counted().filter((label) => label === 'finished')).toHaveLength(1)
    expect(stage.model.calls(cue)).toBe(3)
    const { body: log } = await stage.call(api.url, `/api/v1/turns/${stream.events[0]!.data.turn_id}/log`)
    expect(log.entries.map(({ kind, status }: Record<string, string>) => `${kind} ${status}`)).toEqual([
      'model_call completed',
      'tool_call completed',
      'model_call interrupted',
      'model_call completed',
    ])
    await other.kill()
  },
)

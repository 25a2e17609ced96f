// Stopping a turn at each moment of its life, with API and worker in one process and in two.
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import proto from '@temporalio/proto'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { LONG } from '../support/long.ts'
import { HANG } from '../support/scripted-model.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

const { PendingWorkflowTaskState } = proto.temporal.api.enums.v1

/** Each takes the timeout of a workflow task and the start of a worker. */
const ROUNDS = LONG ? 5 : 2

describe.each(['all', 'api and worker'])('role %s', (roles) => {
  let stage: Stage
  let url: string
  beforeAll(async () => {
    stage = await openStage()
    if (roles !== 'all') await stage.start('worker')
    url = (await stage.start(roles === 'all' ? 'all' : 'api')).url
    return () => stage.close()
  })
  afterEach(async () => {
    stage.model.assertUsed()
    // A turn that is stopped in its first moments may have noted a request that it never sent.
    await stage.check({ unsent: 20 })
  })

  const cancel = (turnId: string) => stage.call(url, `/api/v1/turns/${turnId}/cancel`, { method: 'POST' })
  const begin = async (content: string) => {
    const stream = await stage.chat(url, content, { conversation_id: await stage.conversation(url) })
    const { data } = await stream.waitFor('message_start')
    return { stream, turnId: data.turn_id as string }
  }
  /** How long after a moment the model's connection was closed. */
  const closedAfter = async (moment: number) => {
    await expect.poll(() => stage.model.served.at(-1)?.closed_at, { interval: 10 }).toBeDefined()
    return stage.model.served.at(-1)!.closed_at! - moment
  }

  it(keeps('cancel.before-first-token', 'ends the turn at once, and the call to the model'), async () => {
    const calls = stage.model.calls()
    const { stream, turnId } = await begin(stage.model.script(HANG))
    await expect.poll(() => stage.model.calls(), { interval: 10 }).toBe(calls + 1)
    const answer = await cancel(turnId)
    expect([answer.status, answer.body.status]).toEqual([200, 'cancelled'])
    expect((await stream.untilFinal()).type).toBe('cancelled')
    await closedAfter(Date.now())
    expect(answer.body.message).toBeUndefined()
  })

  it(keeps('cancel.mid-stream', 'keeps the text so far, marked as cancelled'), async () => {
    const held = new HeldReply()
    const { stream, turnId } = await begin(stage.model.script({ say: manyWords('word', 40), held }))
    await stream.shows('word-9 ')
    const answer = await cancel(turnId)
    expect(answer.body.status).toBe('cancelled')
    expect((await stream.untilFinal()).type).toBe('cancelled')
    expect(answer.body.message.agent_response.content).toMatch(/^word-1 word-2/)
    const { body } = await stage.call(url, `/api/v1/conversations/${answer.body.conversation_id}/messages`)
    expect(body.messages.map(({ role, status }: Record<string, string>) => [role, status])).toEqual([
      ['assistant', 'cancelled'],
      ['user', 'completed'],
    ])
    expect(answer.body.message.usage.output_tokens).toBeGreaterThan(0)
  })

  it(keeps('cancel.mid-stream', 'closes the connection to the model within 2 s'), async () => {
    const lags: number[] = []
    for (let n = 0; n < 3; n += 1) {
      const held = new HeldReply()
      const { stream, turnId } = await begin(stage.model.script({ say: manyWords('word', 40), held }))
      await stream.shows('word-9 ')
      const cancelledAt = Date.now()
      await cancel(turnId)
      lags.push(await closedAfter(cancelledAt))
    }
    // The fastest: the others say how busy the machine is.
    expect(Math.min(...lags)).toBeLessThan(2_000)
  })

  it(keeps('cancel.tool-call', 'stops the tool, and says that its outcome is unknown'), async () => {
    const label = `cancelled ${roles}`
    const { stream, turnId } = await begin(
      stage.model.script({ call: [{ name: 'count', arguments: { label, held: true } }] }),
    )
    await stream.waitFor('tool_call_start')
    await expect.poll(() => stage.counted().includes(label), { interval: 10 }).toBe(true)
    const answer = await cancel(turnId)
    expect(answer.body.status).toBe('cancelled')
    expect((await stream.untilFinal()).type).toBe('cancelled')
    expect(stage.counted().filter((each) => each === label)).toHaveLength(1)
    expect(await stage.rows('select status from tool_calls where turn_id = ?', turnId)).toEqual([{ status: 'unknown' }])
    const ends = stream.events.filter(({ type }) => type === 'tool_call_end')
    expect(ends.map(({ data }) => data.is_error)).toEqual([true])
  })

  it(keeps('cancel.queued', 'drops the turn without a call to the model, and the others go on'), async () => {
    const conversation_id = await stage.conversation(url)
    const held = new HeldReply()
    const [one, three] = [
      stage.model.script({ say: manyWords('one', 80), held }),
      stage.model.script({ say: 'Three.' }),
    ]
    const first = await stage.chat(url, one, { conversation_id })
    await first.waitFor('content')
    const second = await stage.chat(url, 'never asked', { conversation_id })
    const third = await stage.chat(url, three, { conversation_id })
    const { data } = await second.waitFor('accepted')
    const answer = await cancel(data.turn_id)
    expect(answer.body.status).toBe('cancelled')
    expect((await second.untilFinal()).type).toBe('cancelled')
    expect(second.events.map(({ type }) => type)).toEqual(['accepted', 'cancelled'])
    held.release()
    expect((await third.untilFinal()).type).toBe('message_end')
    expect(first.final?.type).toBe('message_end')
  })

  it(
    keeps('cancel.second-client', 'a client that has resumed the stream elsewhere stops the turn for both'),
    async () => {
      const held = new HeldReply()
      const { stream, turnId } = await begin(stage.model.script({ say: manyWords('word', 40), held }))
      await stream.shows('word-9 ')
      const first = await stream.waitFor('content')
      const other = await stage.follow(url, turnId, first.id - 1)
      expect((await other.waitFor('content')).id).toBe(first.id)
      await cancel(turnId)
      expect((await stream.untilFinal()).type).toBe('cancelled')
      expect((await other.untilFinal()).id).toBe(stream.final!.id)
    },
  )

  it(keeps('cancel.at-once', 'a turn is cancelled within seconds at whatever moment of its beginning'), async () => {
    const end = stage.model.otherwise(HANG)
    const wrong: unknown[] = []
    const took: number[] = []
    for (let n = 0; n < 20; n += 1) {
      const body = { content: `at once ${n}`, conversation_id: await stage.conversation(url), background: true }
      const accepted = await stage.call(url, '/api/v1/agents/scripted/chat', { body })
      await sleep(n * 3)
      const asked = new Stopwatch()
      const { status, body: turn, text } = await cancel(accepted.body.turn_id)
      took.push(asked.undisturbed())
      if (status !== 200 || turn.status !== 'cancelled') wrong.push({ n, status, state: turn?.status ?? text })
    }
    end()
    expect(wrong).toEqual([])
    // The median: the slowest say how busy the machine is.
    expect(took.toSorted((one, next) => one - next)[10]).toBeLessThan(4_000)
  })

  it(keeps('cancel.finished', 'is a conflict, and changes nothing'), async () => {
    const { stream, turnId } = await begin(stage.model.script({ say: 'Done.' }))
    await stream.untilFinal()
    const answer = await cancel(turnId)
    expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict'])
    expect((await stage.turn(url, turnId)).status).toBe('completed')
  })

  it(keeps('cancel.mid-stream', 'the conversation takes its next message at once'), async () => {
    const conversation_id = await stage.conversation(url)
    const held = new HeldReply()
    const first = await stage.chat(url, stage.model.script({ say: manyWords('word', 40), held }), { conversation_id })
    const { data } = await first.waitFor('message_start')
    await first.waitFor('content')
    await cancel(data.turn_id)
    const cancelled = new Stopwatch()
    const next = await stage.chat(url, stage.model.script({ say: 'Next.' }), { conversation_id })
    expect((await next.untilFinal()).type).toBe('message_end')
    // A turn that is cancelled by its row keeps its workflow for 10 s.
    expect(cancelled.undisturbed()).toBeLessThan(9_000)
  })
})

it(
  keeps(
    'cancel.at-once',
    'a turn that is cancelled while no worker runs is cancelled when one does, and never asks the model',
  ),
  async () => {
    const stage = await openStage()
    onTestFinished(() => stage.close())
    const { url } = await stage.start('api')
    let worker = await stage.start('worker')
    for (let n = 0; n < ROUNDS; n += 1) {
      const body = { content: `nobody ${n}`, conversation_id: await stage.conversation(url), background: true }
      const calls = stage.model.calls()
      const end = stage.model.otherwise(HANG)
      const accepted = await stage.call(url, '/api/v1/agents/scripted/chat', { body })
      expect(accepted.status).toBe(202)
      await worker.kill()
      const cancelled = stage.call(url, `/api/v1/turns/${accepted.body.turn_id}/cancel`, { method: 'POST' })
      // What the killed worker had taken of the workflow must time out first.
      await expect.poll(() => hasTaskUnderWay(stage, accepted.body.turn_id), { interval: 100 }).toBe(false)
      expect((await cancelled).status).toBe(202)
      worker = await stage.start('worker')
      await expect
        .poll(async () => (await stage.turn(url, accepted.body.turn_id)).status, { timeout: 30_000, interval: 200 })
        .toBe('cancelled')
      end()
      expect(stage.model.calls() - calls).toBeLessThanOrEqual(1)
    }
    await stage.check({ unsent: ROUNDS })
  },
  // As many workers are started, one after the other.
  240_000,
)

/** Whether a worker has taken a task of the turn's workflow and has neither finished it nor been given up. */
async function hasTaskUnderWay(stage: Stage, turnId: string): Promise<boolean> {
  const connection = await Connection.connect({ address: stage.temporal!.address })
  try {
    const { raw } = await new Client({ connection }).workflow.getHandle(`turn/${turnId}`).describe()
    return raw.pendingWorkflowTask?.state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
  } finally {
    await connection.close()
  }
}

it(
  keeps('cancel.at-once', "a cancellation that reaches the turn's workflow before its first task cancels the turn"),
  async () => {
    const stage = await openStage()
    onTestFinished(() => stage.close())
    const { url } = await stage.start('api')
    const body = { content: 'Too late', conversation_id: await stage.conversation(url), background: true }
    const accepted = await stage.call(url, '/api/v1/agents/scripted/chat', { body })
    expect(accepted.status).toBe(202)
    const turn_id: string = accepted.body.turn_id
    const connection = await Connection.connect({ address: stage.temporal!.address })
    onTestFinished(() => connection.close())
    await new Client({ connection }).workflow.getHandle(`turn/${turn_id}`).cancel()
    await stage.start('worker')
    await expect.poll(async () => (await stage.turn(url, turn_id)).status, { interval: 200 }).toBe('cancelled')
    expect(stage.model.calls()).toBe(0)
    await stage.check()
  },
)

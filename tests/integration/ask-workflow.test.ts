// Turns that ask other agents, in the sandbox: children of the workflow of the turn, whose time, cancellation and tokens reach them.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { WorkflowFailedError } from '@temporalio/client'
import type { FinishInput, ModelCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { aTurn, MCP_QUEUE, reply, untilCancelled, WorkflowSandbox, type Scripted } from '../support/workflow-sandbox.ts'

let sandbox: WorkflowSandbox
beforeAll(async () => {
  sandbox = await WorkflowSandbox.start()
  return () => sandbox.close()
})
afterEach(() => sandbox.script({}))

type Ref = { turn_id: string; call_id: string }
const ASK = { call_id: 'call_1_1', name: 'ask_other', agent_call: 'ask' as const }
const HANDOFF = { call_id: 'call_1_1', name: 'transfer_to_other', agent_call: 'handoff' as const }
const made = ({ turn_id, call_id }: Ref, outcome: ToolCallResult['outcome'] = 'done') => ({ turn_id, call_id, outcome })
const records = (end: FinishInput) => end.status
const names = () => sandbox.called.map(({ name }) => name)
const isChild = (turnId: string) => turnId.endsWith('-child')
const childOf = ({ turn_id, call_id }: Ref, more = {}) => ({
  turn: aTurn({ turn_id: `${turn_id}-child`, agent_id: 'other', parent_call_id: call_id, ...more }),
})

/** A turn that asks once and answers; what the model of the other agent does is the test's. */
const asking = (child: (input: ModelCallInput) => unknown, more: Scripted = {}): Scripted => ({
  callModel: (input) => {
    if (isChild(input.turn_id)) return child(input)
    return input.step === 1 ? reply(input.turn_id, 1, ASK) : reply(input.turn_id, input.step)
  },
  beginAsk: (call) => childOf(call),
  endAsk: (call) => made(call),
  finishTurn: records,
  ...more,
})

async function run(scripted: Scripted, turn: Parameters<WorkflowSandbox['startTurn']>[0] = {}): Promise<unknown> {
  sandbox.script(scripted)
  const handle = await sandbox.startTurn(turn)
  return handle.result().catch((error: unknown) => (error as WorkflowFailedError).cause ?? error)
}

describe('an agent that is asked', () => {
  it('answers in a turn of its own, and the turn goes on', async () => {
    expect(await run(asking(({ turn_id, step }) => reply(turn_id, step)))).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'beginAsk', 'callModel', 'endAsk', 'callModel'])
    expect(sandbox.inputs('callModel').map(({ agent_id }) => agent_id)).toEqual(['agent', 'other', 'agent'])
  })

  it('is not run when the call is refused', async () => {
    const result = await run(
      asking(() => undefined, { beginAsk: (call: Ref) => ({ result: made(call, 'error') }) } as Scripted),
    )
    expect(result).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'beginAsk', 'callModel'])
  })

  it('may fail: the turn goes on', async () => {
    const fails = ({ turn_id, step }: ModelCallInput) => ({ ...reply(turn_id, step, ASK), calls: [] })
    expect(await run(asking(fails))).toEqual({ status: 'completed' })
    expect(names().slice(-3)).toEqual(['finishTurn', 'endAsk', 'callModel'])
  })

  it('uses tokens of the turn that asks', async () => {
    const scripted = asking(({ turn_id, step }) => reply(turn_id, step), {
      callModel: (input) =>
        isChild(input.turn_id)
          ? reply(input.turn_id, 1)
          : reply(input.turn_id, input.step, { ...ASK, call_id: `call_${input.step}_1` }),
      beginAsk: (call: Ref) => ({ turn: { ...childOf(call).turn, turn_id: `${call.turn_id}-${call.call_id}-child` } }),
      endAsk: (call: Ref) => ({ ...made(call), tokens: 1_000 }),
    } as Scripted)
    expect(await run(scripted, { max_tokens: 1_000 })).toMatchObject({ type: 'budget_exceeded' })
    expect(sandbox.inputs('beginAsk')).toHaveLength(1)
  })

  it('may use no more tokens than the turn that asks has left', async () => {
    // Each call of a model takes 15: the turn that asks has 25 left.
    const loops = ({ turn_id, step }: ModelCallInput) =>
      reply(turn_id, step, { call_id: `call_${step}_1`, name: 'count' })
    const result = await run(asking(loops, { callTool: (call) => made(call) }), { max_tokens: 40 })
    expect(result).toEqual({ status: 'completed' })
    const asked = sandbox.inputs('callModel').filter(({ turn_id }) => isChild(turn_id))
    expect(asked).toHaveLength(2)
    expect(sandbox.inputs('finishTurn')).toMatchObject([
      { status: 'failed', failure: { code: 'budget_exceeded', message: 'The turn used more than 25 tokens' } },
    ])
  })

  it('is stopped when the time of the turn that asks is over, and both record it', async () => {
    const result = await run(asking(untilCancelled), { deadline_ms: 1_500 })
    expect(result).toMatchObject({ type: 'budget_exceeded' })
    const ends = sandbox.inputs('finishTurn').map(({ turn_id, status }) => [isChild(turn_id), status])
    expect(ends).toEqual([
      [true, 'cancelled'],
      [false, 'failed'],
    ])
    expect(names().slice(-3)).toEqual(['finishTurn', 'endAsk', 'finishTurn'])
  })

  it('is cancelled with the turn that asks', async () => {
    sandbox.script(asking(untilCancelled))
    const handle = await sandbox.startTurn()
    await expect.poll(() => sandbox.inputs('callModel').length, { interval: 10 }).toBe(2)
    await handle.cancel()
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(names().slice(-3)).toEqual(['finishTurn', 'endAsk', 'finishTurn'])
  })

  it('may wait for a person: the time of the turn that asks is paused too', async () => {
    let isDecided = false
    const call = { call_id: 'call_1_1', name: 'count', server: 'faulty' }
    sandbox.script(
      asking(({ turn_id, step }) => (step === 1 ? reply(turn_id, 1, call) : reply(turn_id, step)), {
        locateMcpServer: () => (isDecided ? { queue: MCP_QUEUE } : { approval_id: 'appr_1' }),
        callMcpTool: (input: Ref) => made(input),
      } as Scripted),
    )
    const handle = await sandbox.startTurn({ deadline_ms: 30_000 })
    const timers = async () => {
      const { events = [] } = await handle.fetchHistory()
      const started = (events ?? []).filter((event) => event.timerStartedEventAttributes).length
      return [started, (events ?? []).filter((event) => event.timerCanceledEventAttributes).length]
    }
    await expect.poll(timers, { interval: 20 }).toEqual([1, 1])
    isDecided = true
    const { turn_id } = sandbox.inputs('locateMcpServer')[0] as Ref
    await sandbox.client.workflow.getHandle(`tool/${turn_id}/call_1_1`).signal('decided', 'appr_1')
    expect(await handle.result()).toEqual({ status: 'completed' })
    expect((await timers())[0]).toBe(2)
  })
})

describe('a turn that is handed over', () => {
  const to = { agent_id: 'other', agent_version: 7, models: [{ provider: 'openai', model: 'second' }] }
  const handing = (more: object): Scripted =>
    ({
      callModel: ({ turn_id, step }: ModelCallInput) =>
        step === 1
          ? reply(turn_id, 1, { ...HANDOFF, call_id: 'call_1_2' }, { call_id: 'call_1_1', name: 'count' })
          : reply(turn_id, step),
      callTool: (call: Ref) => made(call),
      finishTurn: records,
      ...more,
    }) as Scripted

  it('goes on with the other agent, after the other calls of the step', async () => {
    const result = await run(handing({ handOver: (call: Ref) => ({ ...made(call), agent: to }) }))
    expect(result).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'callTool', 'handOver', 'callModel'])
    expect(sandbox.inputs('callModel')[1]).toMatchObject({ agent_id: 'other', agent_version: 7, model: 0 })
  })

  it('stays with its agent when that is refused', async () => {
    expect(await run(handing({ handOver: (call: Ref) => made(call, 'error') }))).toEqual({ status: 'completed' })
    expect(sandbox.inputs('callModel')[1]).toMatchObject({ agent_id: 'agent' })
  })
})

it('every history of these tests replays', async () => {
  expect(await sandbox.replay()).toEqual([])
})

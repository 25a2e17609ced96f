// The workflow of a turn in the sandbox: what it decides when models answer, tools are called, people are asked, and time is up.
import { ApplicationFailure } from '@temporalio/activity'
import type { WorkflowFailedError } from '@temporalio/client'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FAILURE } from '../../contracts/temporal.ts'
import type { FinishInput, ModelCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { MCP_QUEUE, reply, untilCancelled, WorkflowSandbox, type Scripted } from '../support/workflow-sandbox.ts'

let sandbox: WorkflowSandbox
beforeAll(async () => {
  sandbox = await WorkflowSandbox.start()
  return () => sandbox.close()
})
afterEach(() => sandbox.script({}))

const CALL = { call_id: 'call_1_1', name: 'count' }
const SERVED = { ...CALL, server: 'faulty' }
const made = (
  { turn_id, call_id }: { turn_id: string; call_id: string },
  outcome: ToolCallResult['outcome'] = 'done',
) => ({ turn_id, call_id, outcome }) as ToolCallResult
/** A model that calls one tool in its first step and answers in its second. */
const callsOnce =
  (call = CALL) =>
  ({ turn_id, step }: ModelCallInput) =>
    step === 1 ? reply(turn_id, step, call) : reply(turn_id, step)
const records = (end: FinishInput) => end.status

/** Runs a turn to its end. @returns its result, or the failure that its workflow ended with */
async function run(scripted: Scripted, turn: Parameters<WorkflowSandbox['startTurn']>[0] = {}): Promise<unknown> {
  sandbox.script(scripted)
  const handle = await sandbox.startTurn(turn)
  return handle.result().catch((error: unknown) => (error as WorkflowFailedError).cause ?? error)
}

const names = () => sandbox.called.map(({ name }) => name)

describe('steps', () => {
  it('two with a tool call in between, and the model records the end', async () => {
    const result = await run({ callModel: callsOnce(), callTool: (call) => made(call) })
    expect(result).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'callTool', 'callModel'])
    expect(sandbox.inputs('callModel').map(({ step, model }) => [step, model])).toEqual([
      [1, 0],
      [2, 0],
    ])
    expect(sandbox.inputs('callTool')[0]).toMatchObject({ ...CALL, agent_id: 'agent', conversation_id: 'conv_1' })
  })

  it('of which every call was refused make no call, and three in a row fail the turn', async () => {
    const result = await run({
      callModel: ({ turn_id, step }) => ({ ...reply(turn_id, step, CALL), calls: [] }),
      finishTurn: records,
    })
    expect(result).toMatchObject({ type: 'upstream_error' })
    expect(names()).toEqual(['callModel', 'callModel', 'callModel', 'finishTurn'])
  })

  it('calls of one step are made in parallel, and all of them before the next step', async () => {
    const both = Promise.withResolvers<void>()
    let begun = 0
    const result = await run({
      callModel: ({ turn_id, step }) =>
        step === 1 ? reply(turn_id, step, CALL, { ...CALL, call_id: 'call_1_2' }) : reply(turn_id, step),
      callTool: async (call) => {
        begun += 1
        if (begun === 2) both.resolve()
        await both.promise
        return made(call)
      },
    })
    expect(result).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'callTool', 'callTool', 'callModel'])
  })

  it('more than are allowed fail the turn', async () => {
    const result = await run(
      {
        callModel: ({ turn_id, step }) => reply(turn_id, step, { ...CALL, call_id: `call_${step}_1` }),
        callTool: (call) => made(call),
        finishTurn: records,
      },
      { max_steps: 2 },
    )
    expect(result).toMatchObject({ type: 'budget_exceeded', message: 'The turn took more than 2 steps' })
    expect(sandbox.inputs('finishTurn')).toMatchObject([
      { status: 'failed', failure: { code: 'budget_exceeded', message: 'The turn took more than 2 steps' } },
    ])
  })

  it('more tokens than are allowed fail the turn before its tools are called', async () => {
    const result = await run({ callModel: callsOnce(), finishTurn: records }, { max_tokens: 14 })
    expect(result).toMatchObject({ type: 'budget_exceeded' })
    expect(names()).toEqual(['callModel', 'finishTurn'])
  })

  it('arguments that do not fit three times in a row fail the turn, with one that fits in between they do not', async () => {
    const outcomes = (fitting: number): Scripted => ({
      callModel: ({ turn_id, step }) =>
        step < 5 ? reply(turn_id, step, { ...CALL, call_id: `call_${step}_1` }) : reply(turn_id, step),
      callTool: (call) => made(call, call.call_id === `call_${fitting}_1` ? 'done' : 'invalid'),
      finishTurn: records,
    })
    expect(await run(outcomes(3))).toEqual({ status: 'completed' })
    expect(await run(outcomes(5))).toMatchObject({ type: 'upstream_error' })
    expect(sandbox.inputs('callModel')).toHaveLength(3)
  })
})

describe('failures of models', () => {
  const failing = (type: string) =>
    ApplicationFailure.create({
      message: 'The model failed',
      type,
      nonRetryable: true,
      details: [{ code: 'upstream_error', message: 'The model failed', details: { status: 503 } }],
    })
  const chain = [
    { provider: 'openai', model: 'first' },
    { provider: 'openai', model: 'second' },
  ]

  it('that may pass lead to the next model of the chain, in every step from the first', async () => {
    const result = await run(
      {
        callModel: (input) => {
          if (input.model === 0) throw failing(FAILURE.retry)
          return callsOnce()(input)
        },
        callTool: (call) => made(call),
      },
      { models: chain },
    )
    expect(result).toEqual({ status: 'completed' })
    expect(sandbox.inputs('callModel').map(({ step, model }) => [step, model])).toEqual([
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ])
  })

  it("that are final fail the turn with the model's failure", async () => {
    const throws = () => {
      throw failing(FAILURE.final)
    }
    const result = await run({ callModel: throws, finishTurn: records }, { models: chain })
    expect(result).toMatchObject({ type: 'upstream_error', message: 'The model failed' })
    expect(sandbox.inputs('callModel')).toHaveLength(1)
    expect(sandbox.inputs('finishTurn')).toMatchObject([
      { status: 'failed', failure: { code: 'upstream_error', details: { status: 503 } } },
    ])
  })

  it('that are unforeseen are internal errors, and their message is not shown', async () => {
    const throws = () => {
      throw ApplicationFailure.nonRetryable('what a library said')
    }
    await run({ callModel: throws, finishTurn: records })
    expect(sandbox.inputs('finishTurn')).toMatchObject([
      { failure: { code: 'internal_error', message: 'The turn failed unexpectedly' } },
    ])
  })

  it('of a turn that has ended already leave it unchanged', async () => {
    const throws = () => {
      throw failing(FAILURE.final)
    }
    expect(await run({ callModel: throws, finishTurn: () => 'completed' })).toEqual({ status: 'completed' })
  })
})

describe('cancellation', () => {
  it('reaches the model call, waits for it, and is recorded', async () => {
    const asked = Promise.withResolvers<void>()
    sandbox.script({
      callModel: () => {
        asked.resolve()
        return untilCancelled()
      },
      finishTurn: records,
    })
    const handle = await sandbox.startTurn()
    await asked.promise
    await handle.cancel()
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(sandbox.inputs('finishTurn')).toMatchObject([{ status: 'cancelled' }])
  })

  it('reaches a tool call, whose outcome is recorded as unknown', async () => {
    const asked = Promise.withResolvers<void>()
    sandbox.script({
      callModel: callsOnce(),
      callTool: () => {
        asked.resolve()
        return untilCancelled()
      },
      abandonToolCall: () => undefined,
      finishTurn: records,
    })
    const handle = await sandbox.startTurn()
    await asked.promise
    await handle.cancel()
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(names()).toEqual(['callModel', 'callTool', 'abandonToolCall', 'finishTurn'])
  })

  it('before the first task records the end and calls no model', async () => {
    sandbox.script({ callModel: () => untilCancelled(), finishTurn: records })
    await sandbox.stopWorkers()
    const handle = await sandbox.startTurn()
    await handle.cancel()
    await sandbox.startWorkers()
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(names()).toEqual(['finishTurn'])
  })
})

describe('the time of a turn', () => {
  const tooLong = { type: 'budget_exceeded', message: 'The turn took longer than 0.3 s' }

  it('ends a model call that takes longer', async () => {
    const result = await run({ callModel: untilCancelled, finishTurn: records }, { deadline_ms: 300 })
    expect(result).toMatchObject(tooLong)
  })

  it('ends a tool call that takes longer', async () => {
    const result = await run(
      { callModel: callsOnce(), callTool: untilCancelled, abandonToolCall: () => undefined, finishTurn: records },
      { deadline_ms: 300 },
    )
    // On a busy machine the time may be up before the tool is called.
    expect(result).toMatchObject(tooLong)
    expect(names().at(-1)).toBe('finishTurn')
  })
})

describe('a call that waits for approval', () => {
  /** A call of a server that has to be approved, and is decided by `decision`. */
  const gated = (decision: 'approved' | 'denied'): Scripted & { isDecided: boolean } => {
    const state = {
      isDecided: false,
      callModel: callsOnce(SERVED),
      locateMcpServer: (call: { turn_id: string; call_id: string }) => {
        if (!state.isDecided) return { approval_id: 'appr_1' }
        return decision === 'approved' ? { queue: MCP_QUEUE } : { result: made(call, 'error') }
      },
      callMcpTool: (call: { turn_id: string; call_id: string }) => made(call),
    }
    return state as unknown as Scripted & { isDecided: boolean }
  }
  const tellOf = (turnId: string) =>
    sandbox.client.workflow.getHandle(`tool/${turnId.replace('turn/', '')}/call_1_1`).signal('decided', 'appr_1')
  const timers = async (workflowId: string) => {
    const { events = [] } = await sandbox.client.workflow.getHandle(workflowId).fetchHistory()
    const ms = (time: { seconds?: unknown; nanos?: number | null } | null | undefined) =>
      Number(time?.seconds ?? 0) * 1_000 + Number(time?.nanos ?? 0) / 1e6
    return {
      begun: ms(events![0]!.eventTime),
      started: events!.flatMap(({ timerStartedEventAttributes: timer }) => (timer ? ms(timer.startToFireTimeout) : [])),
      cancelled: events!.flatMap((event) => (event.timerCanceledEventAttributes ? ms(event.eventTime) : [])),
    }
  }

  /** Resolves when a turn has noted that its call waits: its time no longer passes. @returns when that was, in milliseconds */
  const waitsFrom = async (workflowId: string): Promise<number> => {
    await expect.poll(async () => (await timers(workflowId)).cancelled.length, { interval: 10 }).toBe(1)
    return (await timers(workflowId)).cancelled[0]!
  }

  it('is made after the approval, and the time in between is not counted', async () => {
    const scripted = gated('approved')
    sandbox.script(scripted)
    const handle = await sandbox.startTurn()
    const waitedFrom = await waitsFrom(handle.workflowId)
    await expect.poll(() => Date.now() - waitedFrom, { interval: 20 }).toBeGreaterThan(500)
    scripted.isDecided = true
    await tellOf(handle.workflowId)
    expect(await handle.result()).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'locateMcpServer', 'locateMcpServer', 'callMcpTool', 'callModel'])
    const { begun, started } = await timers(handle.workflowId)
    expect(started.length).toBeGreaterThan(1)
    // What had passed of the turn's time when it went on is no more than had passed before it waited.
    expect(60_000 - started[1]!).toBeLessThanOrEqual(waitedFrom - begun + 1)
  })

  it('is not made after a denial', async () => {
    const scripted = gated('denied')
    sandbox.script(scripted)
    const handle = await sandbox.startTurn()
    await waitsFrom(handle.workflowId)
    scripted.isDecided = true
    await tellOf(handle.workflowId)
    expect(await handle.result()).toEqual({ status: 'completed' })
    expect(names()).toEqual(['callModel', 'locateMcpServer', 'locateMcpServer', 'callModel'])
  })

  it('continues in another worker when its worker has died', async () => {
    const scripted = gated('approved')
    sandbox.script(scripted)
    const handle = await sandbox.startTurn()
    await waitsFrom(handle.workflowId)
    await sandbox.stopWorkers()
    await sandbox.startWorkers()
    scripted.isDecided = true
    await tellOf(handle.workflowId)
    expect(await handle.result()).toEqual({ status: 'completed' })
    expect(sandbox.inputs('callModel')).toHaveLength(2)
    expect(sandbox.inputs('callMcpTool')).toHaveLength(1)
  })

  it('is cancelled with its turn', async () => {
    sandbox.script({ ...gated('approved'), abandonToolCall: () => undefined, finishTurn: records })
    const handle = await sandbox.startTurn()
    await waitsFrom(handle.workflowId)
    await handle.cancel()
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
    expect(names()).toEqual(['callModel', 'locateMcpServer', 'abandonToolCall', 'finishTurn'])
  })
})

it('every history of these tests replays', async () => {
  expect(await sandbox.replay()).toEqual([])
})

// One turn: model calls and tool calls until the model has answered. The last model call records the end; failures and cancellations are recorded here.
import {
  ActivityFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  TimeoutFailure,
  upsertSearchAttributes,
} from '@temporalio/workflow'
import { JOB_WORKFLOWS, type JobKind } from '../contracts/job.ts'
import { AUTO } from '../contracts/routing.ts'
import { workflowId, type Labels } from '../contracts/temporal.ts'
import type { FinalStatus, ModelCallResult, PlannedCall, ToolCallResult, TurnInput } from '../contracts/turn.ts'
import { askAgent, handOverTurn, parentNotifier } from './agent-calls.ts'
import { callModel, claimTurn, finishTurn, routeTurn } from './activities.ts'
import { describeFailure, endedBy, finalFailure } from './failures.ts'
import { searchAttributesOf } from './labels.ts'
import { parked } from './messages.ts'
import { askChain } from './model-chain.ts'
import { toolCall } from './tool-call.ts'
import { TurnClock } from './turn-clock.ts'

/** Consecutive rounds of invalid tool arguments after which the turn fails. */
const MAX_INVALID_ROUNDS = 3
/** How long to wait for Temporal's cancellation when the turn's row was cancelled first. */
const CANCELLATION_GRACE = '10s'

export async function chatTurn(turn: TurnInput): Promise<{ status: FinalStatus }> {
  const { turn_id } = turn
  const { parent_call_id } = turn
  const clock = new TurnClock(
    turn.deadline_ms,
    parent_call_id === undefined ? undefined : parentNotifier(parent_call_id),
  )
  setHandler(parked, (call) => clock.setParked(call))
  try {
    const status = await answer(turn, clock)
    setCurrentDetails(`Ended: ${status}`)
    // The request that cancelled the row also cancels this workflow, a moment later.
    if (status === 'cancelled') await sleep(CANCELLATION_GRACE)
    return { status }
  } catch (error) {
    const failure = isCancellation(error) ? undefined : describeFailure(error, 'turn')
    const end = { turn_id, ...(failure ? { status: 'failed' as const, failure } : { status: 'cancelled' as const }) }
    const status = await CancellationScope.nonCancellable(() => finishTurn(end))
    setCurrentDetails(failure ? `Failed: ${failure.message}` : `Ended: ${status}`)
    if (failure && status === 'failed') throw endedBy(failure)
    if (isCancellation(error)) throw error
    return { status }
  }
}

async function answer(accepted: TurnInput, clock: TurnClock): Promise<FinalStatus> {
  const { jobs = [], max_steps, max_tokens } = accepted
  const isRouted = accepted.agent_id === AUTO
  if (isRouted || jobs.length > 0) {
    const claim = await claimTurn({ turn_id: accepted.turn_id })
    if (!claim.claimed) return claim.status
  }
  let turn = isRouted ? await route(accepted, clock) : accepted
  if (jobs.length > 0) {
    setCurrentDetails(`Reading ${jobs.length} attached`)
    const reading = () =>
      clock.during('attached', () => Promise.all(jobs.map(({ id, kind }) => ingest(turn, id, kind))))
    await clock.limit(reading, () => tooLong(turn))
  }
  let invalidRounds = 0
  let tokens = 0
  for (let step = 1; step <= max_steps; step += 1) {
    const reply = await modelStep(turn, step, clock)
    if (reply.finish === 'ended') return reply.status ?? 'completed'
    tokens += reply.input_tokens + reply.output_tokens
    if (tokens > max_tokens) throw overBudget(`The turn used more than ${max_tokens} tokens`)
    setCurrentDetails(`Step ${step}: ${reply.calls.map(({ name }) => name).join(', ')}`)
    const results = await makeCalls(turn, reply.calls, clock, max_tokens - tokens)
    // After the other calls, which are those of the agent that hands over.
    for (const call of reply.calls.filter(isHandoff)) {
      const { agent, ...result } = await handOverTurn(turn, call)
      results.push(result)
      if (agent) turn = withAgent(turn, agent)
    }
    tokens += results.reduce((sum, { tokens: asked = 0 }) => sum + asked, 0)
    if (tokens > max_tokens) throw overBudget(`The turn used more than ${max_tokens} tokens`)
    invalidRounds = results.every(({ outcome }) => outcome === 'invalid') ? invalidRounds + 1 : 0
    if (invalidRounds >= MAX_INVALID_ROUNDS) throw invalidArguments(turn)
  }
  throw overBudget(`The turn took more than ${max_steps} steps`)
}

/** Makes the calls of a step in parallel, except handoffs. */
function makeCalls(
  turn: TurnInput,
  planned: PlannedCall[],
  clock: TurnClock,
  tokensLeft: number,
): Promise<ToolCallResult[]> {
  const calls = planned.filter((call) => !isHandoff(call))
  const make = (call: PlannedCall) =>
    call.agent_call === 'ask' ? askAgent(turn, call, tokensLeft) : runTool(turn, call)
  return clock.limit(
    () => Promise.all(calls.map((call) => clock.during(call.call_id, () => make(call)))),
    () => tooLong(turn),
  )
}

function isHandoff({ agent_call }: PlannedCall): boolean {
  return agent_call === 'handoff'
}

function withAgent(turn: TurnInput, agent: Pick<TurnInput, 'agent_id' | 'agent_version' | 'models'>): TurnInput {
  const changed = { ...turn, ...agent }
  upsertSearchAttributes(searchAttributesOf('turn', labelsOf(changed)).getAll())
  return changed
}

/** Lets the orchestrator choose the agent. @returns the turn with it */
async function route(turn: TurnInput, clock: TurnClock): Promise<TurnInput> {
  setCurrentDetails('Choosing the agent')
  const { turn_id } = turn
  const options = { summary: 'Choose the agent', scheduleToCloseTimeout: clock.left }
  try {
    const { agent_id, agent_version, models } = await clock.count(() =>
      routeTurn.executeWithOptions(options, [{ turn_id }]),
    )
    return withAgent(turn, { agent_id, agent_version, models })
  } catch (error) {
    throw isTooLate(error) ? tooLong(turn) : error
  }
}

/** Reads an attachment before the first model call. A file that cannot be read does not fail the turn: the model gets an error. */
async function ingest(turn: TurnInput, jobId: string, kind: JobKind): Promise<void> {
  const labels = labelsOf(turn)
  try {
    await executeChild(JOB_WORKFLOWS[kind], {
      workflowId: workflowId.job(jobId),
      args: [{ ...labels, job_id: jobId, run: 1 }],
      parentClosePolicy: 'REQUEST_CANCEL',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      workflowTaskTimeout: '5s',
      typedSearchAttributes: searchAttributesOf('job', labels),
      staticSummary: 'What is attached to a message',
      priority: { priorityKey: 1, fairnessKey: labels.user_hash },
    })
  } catch (error) {
    // The cancellation of a child alone does not cancel the turn.
    if (CancellationScope.current().consideredCancelled) throw error
  }
}

/** One step's model call, by the first model of the chain that answers. */
async function modelStep(turn: TurnInput, step: number, clock: TurnClock): Promise<ModelCallResult> {
  const { turn_id, agent_id, agent_version, models } = turn
  return askChain(models.length, async (index) => {
    const asked = models[index]
    if (!asked) throw noModel()
    const { model, place } = asked
    setCurrentDetails(`Step ${step}: asking ${model}`)
    const options = { summary: `Step ${step}: ${model}`, scheduleToCloseTimeout: clock.left }
    const input = { turn_id, agent_id, agent_version, step, model: index, ...(place !== undefined && { place }) }
    try {
      return await clock.count(() => callModel.executeWithOptions(options, [input]))
    } catch (error) {
      throw isTooLate(error) ? tooLong(turn) : error
    }
  })
}

function runTool(turn: TurnInput, call: PlannedCall): Promise<ToolCallResult> {
  const labels = labelsOf(turn)
  const { turn_id } = turn
  return executeChild(toolCall, {
    workflowId: workflowId.toolCall(turn_id, call.call_id),
    args: [{ turn_id, ...labels, ...call }],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    parentClosePolicy: 'REQUEST_CANCEL',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    workflowTaskTimeout: '5s',
    typedSearchAttributes: searchAttributesOf('tool', labels),
    staticSummary: call.name,
    priority: { priorityKey: 1 },
  })
}

function labelsOf({ agent_id, conversation_id, user_hash }: TurnInput): Labels {
  return { agent_id, conversation_id, user_hash }
}

/** The activity's schedule-to-close timeout is the turn's remaining active time. */
function isTooLate(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_CLOSE'
}

function noModel(): Error {
  return finalFailure({ code: 'internal_error', message: 'The agent has no model' })
}

function overBudget(message: string): Error {
  return finalFailure({ code: 'budget_exceeded', message })
}

function tooLong({ deadline_ms }: TurnInput): Error {
  return overBudget(`The turn took longer than ${deadline_ms / 1_000} s`)
}

function invalidArguments({ models }: TurnInput): Error {
  const { provider, model } = models[0]!
  const message = `The model wrote tool arguments that do not fit ${MAX_INVALID_ROUNDS} times in a row`
  return finalFailure({ code: 'upstream_error', message, details: { provider, model } })
}

// One turn: claim it, then model calls and tool calls until the model has answered, then record how it ended.
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow'
import {
  FAILURE,
  JOB_WORKFLOWS,
  workflowId,
  type Claim,
  type JobKind,
  type ModelCallResult,
  type PlannedCall,
  type ToolCallResult,
  type TurnFailure,
  type TurnInput,
} from '../contracts/engine.ts'
import { awaitTurn, callModel, claimTurn, finishTurn, recall } from './activities.ts'
import { searchAttributesOf } from './labels.ts'
import { parked } from './messages.ts'
import { toolCall } from './tool-call.ts'
import { TurnClock } from './turn-clock.ts'

/** How often in a row a model may write tool arguments that do not fit before the turn is given up. */
const MAX_INVALID_ROUNDS = 3
/** How long to wait for the engine's cancellation once a model call was stopped directly. */
const CANCELLATION_GRACE = '10s'

type Plan = Extract<Claim, { claimed: true }>

export async function chatTurn(turn: TurnInput): Promise<{ status: string }> {
  const clock = new TurnClock()
  setHandler(parked, (call) => clock.hear(call))
  try {
    const plan = await claim(turn)
    if (!plan) return { status: 'over' }
    const { deadline_ms } = plan
    await clock.limit(
      deadline_ms,
      () => answer(turn, plan, clock),
      () => overBudget(`The turn took longer than ${deadline_ms / 1_000} s`),
    )
    await finishTurn({ turn_id: turn.turn_id, status: 'completed' })
    setCurrentDetails('Completed')
    return { status: 'completed' }
  } catch (error) {
    const stopped = isStopped(error)
    const status = stopped || isCancellation(error) ? 'cancelled' : 'failed'
    const failure = status === 'failed' ? describeFailure(error) : undefined
    setCurrentDetails(failure ? `Failed: ${failure.message}` : 'Cancelled')
    await CancellationScope.nonCancellable(() =>
      finishTurn({ turn_id: turn.turn_id, status, ...(failure && { failure }) }),
    )
    if (stopped) {
      await sleep(CANCELLATION_GRACE)
      return { status }
    }
    if (failure) throw ApplicationFailure.nonRetryable(failure.message, failure.code)
    throw error
  }
}

/** Takes the turn, after any other of its conversation that an earlier run of the actor has left running. */
async function claim(turn: TurnInput): Promise<Plan | undefined> {
  for (;;) {
    // Also a turn that is cancelled before its first task has to record that.
    const result = await CancellationScope.nonCancellable(() => claimTurn(turn))
    if (result.claimed) return result
    if (result.reason === 'over') return undefined
    setCurrentDetails(`Waiting for ${result.other_turn_id}`)
    await awaitTurn(result.other_turn_id, false)
  }
}

async function answer(turn: TurnInput, plan: Plan, clock: TurnClock): Promise<void> {
  const { jobs = [], job_kinds = [] } = plan
  if (jobs.length > 0) setCurrentDetails(`Reading ${jobs.length} attached`)
  await Promise.all(jobs.map((jobId, index) => ingest(turn, jobId, job_kinds[index])))
  if (plan.recall) await remember(turn)
  let invalidRounds = 0
  let tokens = 0
  for (let step = 1; step <= plan.max_steps; step += 1) {
    const said = await modelStep(turn, plan, step)
    if (said.finish === 'stopped') throw ApplicationFailure.nonRetryable('Stopped', FAILURE.stopped)
    if (said.finish === 'answer') return
    tokens += said.input_tokens + said.output_tokens
    if (tokens > plan.max_tokens) throw overBudget(`The turn used more than ${plan.max_tokens} tokens`)
    setCurrentDetails(`Step ${step}: ${said.calls.map(({ name }) => name).join(', ')}`)
    const results = await Promise.all(said.calls.map((call) => clock.during(call.call_id, () => runTool(turn, call))))
    invalidRounds = results.every(({ outcome }) => outcome === 'invalid') ? invalidRounds + 1 : 0
    if (invalidRounds >= MAX_INVALID_ROUNDS) throw invalidArguments(plan)
  }
  throw overBudget(`The turn took more than ${plan.max_steps} steps`)
}

/** What is attached is read before the first word. The model is told of what could not be read, so the turn goes on. */
async function ingest({ turn_id: _, ...labels }: TurnInput, jobId: string, kind: JobKind = 'document'): Promise<void> {
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
    // A child that somebody cancelled by itself is not the turn's own cancellation.
    if (CancellationScope.current().consideredCancelled) throw error
  }
}

/** An answer without passages is better than none. */
async function remember(turn: TurnInput): Promise<void> {
  try {
    await recall.executeWithOptions({ summary: 'Passages for the question' }, [{ turn_id: turn.turn_id }])
  } catch (error) {
    if (isCancellation(error)) throw error
  }
}

/** One step's model call: the first model of the chain that answers. Only what may pass is worth asking the next one. */
async function modelStep(turn: TurnInput, plan: Plan, step: number): Promise<ModelCallResult> {
  for (const [index, { model }] of plan.models.entries()) {
    setCurrentDetails(`Step ${step}: asking ${model}`)
    try {
      return await callModel.executeWithOptions({ summary: `Step ${step}: ${model}` }, [
        { turn_id: turn.turn_id, step, model: index },
      ])
    } catch (error) {
      if (isCancellation(error) || index === plan.models.length - 1 || failureOf(error)?.type === FAILURE.final)
        throw error
    }
  }
  throw ApplicationFailure.nonRetryable('The agent has no model', FAILURE.internal)
}

function runTool(turn: TurnInput, call: PlannedCall): Promise<ToolCallResult> {
  const { turn_id, ...labels } = turn
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

function failureOf(error: unknown): ApplicationFailure | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error
  return cause instanceof ApplicationFailure ? cause : undefined
}

function isStopped(error: unknown): boolean {
  return failureOf(error)?.type === FAILURE.stopped
}

/** The failure that activities and we ourselves put into the first detail; anything else is ours to look into. */
function describeFailure(error: unknown): TurnFailure {
  const [described] = (failureOf(error)?.details ?? []) as [TurnFailure?]
  return described ?? { code: 'internal_error', message: 'The turn failed unexpectedly' }
}

function fail(failure: TurnFailure): ApplicationFailure {
  return ApplicationFailure.create({
    message: failure.message,
    type: FAILURE.final,
    nonRetryable: true,
    details: [failure],
  })
}

function overBudget(message: string): ApplicationFailure {
  return fail({ code: 'budget_exceeded', message })
}

function invalidArguments(plan: Plan): ApplicationFailure {
  const { provider, model } = plan.models[0]!
  const message = `The model wrote tool arguments that do not fit ${MAX_INVALID_ROUNDS} times in a row`
  return fail({ code: 'upstream_error', message, details: { provider, model } })
}

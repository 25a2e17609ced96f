// One attempt at a step's model call, in rows: begun before the request counts, completed or closed after it.
import { activityInfo } from '@temporalio/activity'
import { shownArguments } from '../../contracts/arguments.ts'
import { budgetExceeded } from '../../contracts/budget.ts'
import type { FinalStatus, ModelCallInput, ModelCallResult } from '../../contracts/turn.ts'
import { estimateTokens } from '../../contracts/tokens.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { RefusedError, type EventLog } from '../../db/event-log.ts'
import { addEvents, raiseFence, type Addition, type Writer } from '../../db/event-rows.ts'
import { lockConversation } from '../../db/queries/conversations.ts'
import { addLogEntry, countAttempts, endLogEntry, startLogEntry } from '../../db/queries/log.ts'
import { findStep, insertStep, toPlannedCall, type NewToolCall } from '../../db/queries/steps.ts'
import { completeTurn, settleOpen, type TurnEnd } from '../../db/queries/turn-ends.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { HEAD_START, lockTurn } from '../../db/queries/turns.ts'
import { addUsage, completeUsage, countRequests, reserveUsage, totalUsage } from '../../db/queries/usage.ts'
import type { Db, Tx } from '../../db/schema.ts'
import type { GenerateResult } from '../../providers/provider.ts'
import { checkRequests, overBudget, overtaken } from '../failures.ts'
import { ATTEMPTS_A_MODEL, neededBy, reservationOf, settleUsage, spentBy, spentByFailure } from '../metered-call.ts'
import { planCalls, toStoredParts } from './plan-calls.ts'
import { storeRecalled } from './recall.ts'
import type { StepPrompt } from './step-prompt.ts'
import { describeAttempt, statusOf } from './attempt-failure.ts'
import type { AdoptedRequest } from './head-start.ts'
import { STEP_SEPARATOR } from './step-text.ts'
import { endEvent, plannedStartEvent } from '../tools/call-events.ts'

export interface Attempt {
  writer: Writer
  usageId: string
  logId: string
  startedAt: number
  /** Whether no other request of the turn is recorded: nothing of one may be open, and its usage is the turn's. */
  isFirst: boolean
}

/**
 * Claims the turn, fences off older attempts, withdraws the text they have shown, and records what is about to be sent: in one
 * transaction.
 * @param adopted a head start: its fence stands, and its usage row was inserted with the turn
 * @returns `stored` when an older attempt has stored the step meanwhile, undefined when the turn is over or to be cancelled
 * @throws a final failure when a budget leaves no room for the request, which is not sent
 */
export async function beginAttempt(
  db: Db,
  events: EventLog,
  input: ModelCallInput,
  prompt: StepPrompt,
  adopted: AdoptedRequest | undefined,
): Promise<Attempt | { stored: ModelCallResult } | undefined> {
  const { turn_id, step } = input
  const { model, shown, given } = prompt
  const { attempt, activityId: activity_id } = activityInfo()
  const workflow_id = workflowIdOfActivity()
  const own = { scope: `step_${step}`, fence: input.model * ATTEMPTS_A_MODEL + attempt }
  const writer = adopted ? HEAD_START : own
  const begun = await db.transaction().execute(async (tx) => {
    const claimed = await claimTurn(tx, turn_id, activityInfo().workflowExecution?.runId ?? '')
    if (!claimed) return undefined
    // The first attempt has none before it; were it delivered twice, the fence would refuse the second.
    const stored = writer.fence > 1 ? await findStep(tx, turn_id, step) : undefined
    if (stored) return { stored: toResult(input, stored.calls, stored) }
    const raised = adopted ? { hadText: false } : await raiseFence(tx, turn_id, writer)
    if (!raised) throw overtaken()
    if (attempt > 1) {
      const from = input.model * ATTEMPTS_A_MODEL
      checkRequests(await countRequests(tx, turn_id, step, { from, to: writer.fence }))
    }
    if (prompt.recalled) await storeRecalled(tx, turn_id, prompt.recalled, { workflow_id, activity_id, attempt })
    const reset: Addition = { event: { type: 'content_reset', data: { step, reason: 'retry', content: shown } } }
    const additions = [...claimed.additions, ...(raised.hadText ? [reset] : [])]
    const added = additions.length > 0 ? await addEvents(tx, turn_id, undefined, additions) : { events: [] }
    if ('refused' in added) throw overtaken()
    const { id: usageId, exceeded } = adopted ? { id: adopted.usageId } : await reserve(tx)
    const logged = {
      stream_id: turn_id,
      kind: 'model_call' as const,
      name: model.model,
      workflow_id,
      activity_id,
      attempt,
      input: {
        provider: model.provider,
        step,
        messages: prompt.request.messages.length,
        ...(prompt.left_out > 0 && { left_out: prompt.left_out }),
        ...(prompt.without_material && { without_material: true }),
        ...(model.known.context_window !== undefined && { context_window: model.known.context_window }),
      },
    }
    if (exceeded) {
      // The claim is kept, so that the turn counts as accepted, and what an older attempt has shown is withdrawn.
      const { message, code: reason } = budgetExceeded(exceeded)
      await addLogEntry(tx, logged, { status: 'failed', duration_ms: 0, error: { message, reason } })
      return { exceeded, events: added.events }
    }
    return { usageId: usageId!, logId: await startLogEntry(tx, logged), events: added.events }
  })
  if (!begun || begun.stored) return begun
  events.publish(turn_id, begun.events)
  if (begun.exceeded) throw overBudget(budgetExceeded(begun.exceeded))
  const hasRecallUsage = prompt.recalled?.billed === true
  const isFirst = step === 1 && !hasRecallUsage && (adopted !== undefined || (writer.fence === 1 && !given.has_usage))
  return { writer, usageId: begun.usageId, logId: begun.logId, startedAt: performance.now(), isFirst }

  function reserve(tx: Tx) {
    const { key_id, user_id, agent_id } = given.turn
    const start = {
      key_id,
      user_id,
      agent_id,
      stream_id: turn_id,
      step,
      fence: writer.fence,
      provider: model.provider,
      model: model.model,
      input_tokens: prompt.input_tokens,
      ...reservationOf(model, prompt.input_tokens),
    }
    return reserveUsage(tx, start, neededBy(model, prompt.input_tokens))
  }
}

export interface Completed {
  result: ModelCallResult
  /** Set when the step was the turn's last. */
  end: TurnEnd | undefined
  /** To be published: the calls that were refused. */
  events: StoredEvent[]
}

/** Stores the result of a step; without tool calls it is the answer, and ends the turn in the same transaction. @throws RefusedError */
export async function completeAttempt(
  db: Db,
  attempt: Attempt,
  input: ModelCallInput,
  prompt: StepPrompt,
  content: string,
  generated: GenerateResult,
): Promise<Completed> {
  const { turn_id, step } = input
  const { model, offered, given } = prompt
  const { conversation_id, message_id } = given.turn
  const { finish_reason, warnings } = generated
  const estimate = { input_tokens: prompt.input_tokens, output_tokens: estimateTokens(content) }
  const spent = spentBy(model, generated.usage, estimate)
  const { estimated: _, cost_usd, ...counted } = spent
  const { input_tokens, output_tokens } = counted
  const usage = { input_tokens, output_tokens, ...(cost_usd !== undefined && { cost_usd }) }
  const calls = planCalls(step, generated, offered, given.carried)
  const hasReturned = calls.some(({ refusal, returned }) => returned && refusal === undefined)
  const isAnswer = calls.length === 0 || hasReturned
  const reasoning = generated.parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
  const { end, events } = await db.transaction().execute(async (tx) => {
    if (isAnswer) await lockConversation(tx, conversation_id)
    // The turn is held before the fence is looked at: a newer attempt raises the fence while it holds the turn.
    if (!isAnswer || !attempt.isFirst) await lockTurn(tx, turn_id)
    const ended = isAnswer ? await endTurn(tx) : undefined
    const parts = toStoredParts(step, generated.parts)
    const row = {
      turn_id,
      step,
      content,
      provider: model.provider,
      model: model.model,
      input_tokens,
      output_tokens,
      parts,
    }
    // A newer attempt shows its own text: that is the one to keep.
    if (!(await insertStep(tx, row, calls, attempt.writer))) throw new RefusedError(turn_id, 'fenced')
    await completeUsage(tx, attempt.usageId, spent)
    await endLogEntry(tx, attempt.logId, {
      status: 'completed',
      duration_ms: performance.now() - attempt.startedAt,
      output: {
        content,
        ...(reasoning !== '' && { reasoning }),
        calls: calls.map(({ call_id, name }) => ({ call_id, name })),
        finish_reason,
        ...(warnings.length > 0 && { warnings }),
      },
      usage: counted,
    })
    return { end: ended, events: await tellRefused(tx, turn_id, calls) }
  })
  const planned = calls.filter(({ refusal, returned }) => refusal === undefined && !returned).map(toPlannedCall)
  return { result: toResult(input, planned, counted, end?.status), end, events }

  async function endTurn(tx: Tx): Promise<TurnEnd> {
    const reply = [prompt.shown, content].filter((text) => text !== '').join(STEP_SEPARATOR)
    if (!attempt.isFirst) await settleOpen(tx, turn_id, reply)
    const total = attempt.isFirst ? usage : addUsage(await totalUsage(tx, turn_id, attempt.usageId), usage)
    const ended = await completeTurn(tx, {
      turn_id,
      conversation_id,
      message_id,
      content: reply,
      usage: total,
      finish_reason: hasReturned ? 'tool_calls' : finish_reason,
    })
    if (!ended) throw new RefusedError(turn_id, 'ended')
    return ended
  }
}

/** Shows and logs the calls that are not made. */
async function tellRefused(tx: Tx, turnId: string, calls: NewToolCall[]): Promise<StoredEvent[]> {
  const { attempt, activityId } = activityInfo()
  const additions: Addition[] = []
  for (const { refusal, ...call } of calls) {
    if (refusal === undefined) continue
    additions.push(plannedStartEvent(call), endEvent(call.call_id, refusal, true))
    const { call_id, name } = call
    const input = shownArguments(call.arguments)
    const activity_id = `${activityId}/${call_id}`
    await addLogEntry(
      tx,
      { stream_id: turnId, kind: 'tool_call', name, workflow_id: workflowIdOfActivity(), activity_id, attempt, input },
      { status: 'failed', duration_ms: 0, error: { message: refusal } },
    )
  }
  if (additions.length === 0) return []
  const added = await addEvents(tx, turnId, undefined, additions)
  if ('refused' in added) throw new RefusedError(turnId, added.refused)
  return added.events
}

/** Settles the rows of an attempt that did not finish. @returns how many attempts had failed before */
export async function closeAttempt(
  db: Db,
  attempt: Attempt,
  { model, input_tokens }: StepPrompt,
  content: string,
  reason: unknown,
): Promise<number> {
  const spent = spentByFailure(model, reason, { input_tokens, output_tokens: estimateTokens(content) })
  return db.transaction().execute(async (tx) => {
    const failedBefore = await countAttempts(tx, workflowIdOfActivity(), activityInfo().activityId, 'failed')
    await settleUsage(tx, attempt.usageId, spent)
    await endLogEntry(tx, attempt.logId, {
      status: statusOf(reason),
      duration_ms: performance.now() - attempt.startedAt,
      output: { content },
      error: describeAttempt(reason),
    })
    return failedBefore
  })
}

function workflowIdOfActivity(): string {
  return activityInfo().workflowExecution?.workflowId ?? ''
}

export function toResult(
  { turn_id, step }: Pick<ModelCallInput, 'turn_id' | 'step'>,
  calls: ModelCallResult['calls'],
  usage: { input_tokens: number; output_tokens: number },
  status?: FinalStatus,
): ModelCallResult {
  return {
    turn_id,
    step,
    finish: status === undefined ? 'tool_calls' : 'ended',
    ...(status !== undefined && { status }),
    calls,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
  }
}

// The activity of one step's model call: it claims the turn, recalls, builds the prompt, streams the text to the event log and stores
// the result. An answer ends the turn in the same transaction, and the activity starts the next turn of the conversation.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import type { ModelCallInput, ModelCallResult } from '../../contracts/turn.ts'
import { findStep } from '../../db/queries/steps.ts'
import type { StepInput } from '../../db/queries/turn-input.ts'
import { isFinalStatus } from '../../db/queries/turns.ts'
import { untilDatabaseIsBack } from '../../db/storage.ts'
import { StopRequested } from '../../db/stops.ts'
import { toActivityFailure } from './attempt-failure.ts'
import { endTurn, startNextOf } from './end-turn.ts'
import type { AdoptedRequest } from './head-start.ts'
import { startBeating } from '../heartbeat.ts'
import { usableReply } from '../metered-call.ts'
import { beginAttempt, closeAttempt, completeAttempt, toResult, type Attempt, type Completed } from './model-attempt.ts'
import type { ActivityResources } from '../resources.ts'
import type { StepPrompt } from './step-prompt.ts'
import { StepText } from './step-text.ts'
import type { TurnResources } from './turn-resources.ts'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'stops'> &
  Omit<TurnResources, 'tools' | 'routing' | 'describeTurn'>

export function modelCallActivities(resources: Resources) {
  const { db, events, stops, headStarts, prepareStep } = resources
  return {
    async callModel(input: ModelCallInput): Promise<ModelCallResult> {
      const { turn_id } = input
      const stopBeating = startBeating()
      // Before the row is read, so that a stop requested meanwhile is seen in one of the two.
      const stop = stops.register(turn_id)
      const signal = AbortSignal.any([stop.signal, cancellationSignal()])
      let adopted: AdoptedRequest | undefined
      try {
        adopted = isVeryFirst(input) ? await headStarts?.adopt(turn_id) : undefined
        const prompt = adopted?.prompt ?? (await prepareStep(input, signal))
        if (!prompt.request) return await withoutRequest(input, prompt.given)
        const attempt = await beginAttempt(db, events, input, prompt, adopted)
        // The turn has ended, or is to be cancelled, since the prompt was read.
        if (!attempt) return await withoutRequest(input, (await prepareStep(input, signal)).given)
        if ('stored' in attempt) return attempt.stored
        const completed = await generate(input, prompt, attempt, adopted, signal)
        adopted = undefined
        if ('cancelled' in completed) return await cancel(input, prompt.given)
        events.publish(turn_id, completed.events)
        if (completed.end) await startNextOf(resources, turn_id, prompt.given.turn.conversation_id, completed.end)
        return completed.result
      } finally {
        adopted?.abort(new StopRequested('The request is not needed'))
        stop.done()
        stopBeating()
      }
    },
  }

  async function generate(
    input: ModelCallInput,
    prompt: StepPrompt,
    attempt: Attempt,
    adopted: AdoptedRequest | undefined,
    stopping: AbortSignal,
  ): Promise<Completed | { cancelled: true }> {
    const { turn_id, step } = input
    const text = adopted?.text ?? new StepText(events, turn_id, attempt.writer, step, prompt.shown)
    const signal = AbortSignal.any([stopping, text.failed])
    const abort = () => adopted?.abort(signal.reason)
    if (signal.aborted) abort()
    // Removed again: Node keeps what `AbortSignal.any` made as long as it has a listener that keeps one of its sources.
    signal.addEventListener('abort', abort, { once: true })
    try {
      const generated = await (adopted?.result ?? prompt.provider.generate(prompt.request, text.onDelta, signal))
      await text.flush()
      const reply = usableReply(generated, prompt.provider.name)
      return await untilDatabaseIsBack(
        () => completeAttempt(db, attempt, input, prompt, text.content, reply),
        cancellationSignal(),
      )
    } catch (error) {
      await text.flush().catch(() => undefined)
      // What a provider throws when its signal aborts is its own; the reason is ours.
      const reason = signal.aborted ? (signal.reason as unknown) : error
      const failedBefore = await closeAttempt(db, attempt, prompt, text.content, reason)
      if (reason instanceof StopRequested) return { cancelled: true }
      throw toActivityFailure(reason, prompt.model, failedBefore)
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** The result of a step whose model is not asked: the turn is over or to be cancelled, or an earlier attempt has stored the step. */
  async function withoutRequest(input: ModelCallInput, given: StepInput): Promise<ModelCallResult> {
    const { turn } = given
    if (isFinalStatus(turn.status)) {
      // The attempt that ended it may have died before it started the next one.
      await startNextOf(resources, turn.id, turn.conversation_id, undefined)
      return toResult(input, [], NOTHING, turn.status)
    }
    if (turn.cancel_requested_at !== null) return cancel(input, given)
    const stored = await findStep(db, input.turn_id, input.step)
    if (!stored) throw new Error(`Cannot find the result of step ${input.step} of turn '${input.turn_id}'`)
    return toResult(input, stored.calls, stored)
  }

  async function cancel(input: ModelCallInput, { turn }: StepInput): Promise<ModelCallResult> {
    const status = await endTurn(resources, {
      turn_id: turn.id,
      conversation_id: turn.conversation_id,
      status: 'cancelled',
    })
    return toResult(input, [], NOTHING, status)
  }
}

const NOTHING = { input_tokens: 0, output_tokens: 0 }

/** Only the first attempt at the first request of a turn may adopt a head start. */
function isVeryFirst({ step, model }: ModelCallInput): boolean {
  return step === 1 && model === 0 && activityInfo().attempt === 1
}

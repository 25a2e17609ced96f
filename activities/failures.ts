// The one place where what went wrong becomes an ApplicationFailure: typed, retryable or not, and without anybody's words.
import { ApplicationFailure } from '@temporalio/activity'
import { FAILURE, type ModelRef, type TurnFailure } from '../contracts/engine.ts'
import type { ProviderFailure } from '../providers/failure.ts'

/** Failures of one model in one step after which the next model of the chain is asked. */
const MODEL_ATTEMPTS = 5

/** History gets the provider, the status and the request id; what the provider said stays in the execution log. */
export function toModelFailure(failure: ProviderFailure, model: ModelRef, failedBefore: number): ApplicationFailure {
  const { status, requestId } = failure
  const how = status === undefined ? 'broke off or could not be reached' : `answered ${status}`
  const described: TurnFailure = {
    code: 'upstream_error',
    message: `The model '${model.model}' of ${failure.provider} ${how}`,
    details: {
      provider: failure.provider,
      model: model.model,
      ...(status !== undefined && { status }),
      ...(requestId && { request_id: requestId }),
    },
  }
  return ApplicationFailure.create({
    message: described.message,
    type: failure.kind === 'final' ? FAILURE.final : FAILURE.retry,
    nonRetryable: failure.kind === 'final' || failedBefore + 1 >= MODEL_ATTEMPTS,
    details: [described],
    ...(failure.retryAfter !== undefined && { nextRetryDelay: failure.retryAfter }),
  })
}

/** An attempt that has been overtaken ends without a word: nobody waits for it any more. */
export function overtaken(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('A newer attempt has begun', FAILURE.stopped)
}

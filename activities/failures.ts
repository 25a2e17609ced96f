// The one place that makes an ApplicationFailure: typed, retryable or not, and without any text of users, models or tools.
import { ApplicationFailure } from '@temporalio/activity'
import { FAILURE } from '../contracts/temporal.ts'
import type { TurnFailure } from '../contracts/failures.ts'
import type { ModelRef } from '../contracts/turn.ts'
import type { ProviderFailure } from '../providers/failure.ts'

/** Failures of one model in one step after which the next model of the chain is called. */
const MODEL_ATTEMPTS = 5

/**
 * Requests to one model in one step, whatever ended them. Attempts that a killed worker or an unreachable database ended are not
 * among the failures, but each was paid for.
 */
const MODEL_REQUESTS = 10

/** History gets the provider, the status and the request id; the provider's message stays in the execution log. */
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

/** A failure of this program after a request was paid for: it is retried as often as a failure of the model is. */
export function toInternalFailure(reason: unknown, failedBefore: number): unknown {
  return failedBefore + 1 < MODEL_ATTEMPTS ? reason : unhandled()
}

/** @throws ApplicationFailure when so many requests were sent that there is to be no further one */
export function checkRequests(sentBefore: number): void {
  if (sentBefore >= MODEL_REQUESTS) throw unhandled()
}

function unhandled(): ApplicationFailure {
  const described: TurnFailure = { code: 'internal_error', message: 'The reply of the model could not be handled' }
  return ApplicationFailure.nonRetryable(described.message, FAILURE.internal, described)
}

/** A superseded attempt exits without a result: no caller waits for it. */
export function overtaken(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('A newer attempt has begun', FAILURE.stopped)
}

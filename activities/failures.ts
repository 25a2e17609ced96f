// The one place that makes the failures which activities throw to Temporal: typed, retryable or not, and without any text of
// users, models or tools. `contracts/temporal.ts` has their types; what workflows make of them is in `workflows/failures.ts`.
import { ApplicationFailure } from '@temporalio/activity'
import { CancelledFailure } from '@temporalio/common'
import { FAILURE } from '../contracts/temporal.ts'
import type { MuxiError, TurnFailure } from '../contracts/failures.ts'
import type { ModelRef } from '../contracts/turn.ts'
import { briefOf, type ProviderFailure } from '../providers/failure.ts'

/** Failures of one model in one step after which the next model of the chain is called. */
const MODEL_ATTEMPTS = 5

/**
 * Requests to one model in one step, whatever ended them. Attempts that a killed worker or an unreachable database ended are not
 * among the failures, but each was paid for.
 */
const MODEL_REQUESTS = 10

/** Whether an activity may throw the error as it is: its message is ours. */
export function isActivityFailure(error: unknown): boolean {
  return error instanceof ApplicationFailure || error instanceof CancelledFailure
}

/** History gets the provider, the status and the request id; the provider's message stays in the execution log. */
export function toModelFailure(failure: ProviderFailure, model: ModelRef, failedBefore: number): Error {
  const { status, requestId } = failure
  const how = failure.how ?? (status === undefined ? 'broke off or could not be reached' : `answered ${status}`)
  const described: TurnFailure = {
    code: 'upstream_error',
    message: `The model '${model.model}' of ${failure.provider} ${how}`,
    details: {
      provider: failure.provider,
      model: model.model,
      ...(status !== undefined && { status }),
      // `request_id` is the id of the client's request.
      ...(requestId && { provider_request_id: requestId }),
    },
  }
  return ApplicationFailure.create({
    message: described.message,
    type: failure.kind === 'final' ? FAILURE.final : FAILURE.retry,
    nonRetryable: failure.kind === 'final' || failure.goesOn || failedBefore + 1 >= MODEL_ATTEMPTS,
    details: [described],
    ...(failure.retryAfter !== undefined && { nextRetryDelay: failure.retryAfter }),
  })
}

/** A provider that failed in a call that nothing waits for: Temporal makes it again. */
export function toHiddenCallFailure(failure: ProviderFailure): Error {
  const { retryAfter } = failure
  return ApplicationFailure.create({
    message: `A call for memory failed: ${briefOf(failure)}`,
    type: FAILURE.retry,
    ...(retryAfter !== undefined && { nextRetryDelay: retryAfter }),
  })
}

/** A failure of this program after a request was paid for: it is retried as often as a failure of the model is. */
export function toInternalFailure(reason: unknown, failedBefore: number): unknown {
  return failedBefore + 1 < MODEL_ATTEMPTS ? reason : unhandled()
}

/** @throws a final failure when so many requests were sent that there is to be no further one */
export function checkRequests(sentBefore: number): void {
  if (sentBefore >= MODEL_REQUESTS) throw unhandled()
}

function unhandled(): Error {
  return final({ code: 'internal_error', message: 'The reply of the model could not be handled' }, FAILURE.internal)
}

/** A superseded attempt exits without a result: no caller waits for it. */
export function overtaken(): Error {
  return ApplicationFailure.nonRetryable('A newer attempt has begun', FAILURE.stopped)
}

/** A file that cannot be processed, or not here. @param reason a code; a parser's message may quote the file */
export function refusedFile(message: string, reason: string, code: 'unprocessable' | 'unavailable'): Error {
  return final({ code, message, details: { reason } })
}

/** The bytes of a file were deleted: another attempt would not find them either. */
export function deletedFile(): Error {
  return refusedFile('The file is deleted', 'file_deleted', 'unprocessable')
}

/** The tool call waits for the decision on an approval; it is made again once decided. */
export function parked(approvalId: string): Error {
  return ApplicationFailure.create({
    message: 'The call waits for a person',
    type: FAILURE.parked,
    details: [approvalId],
  })
}

/** The tool call was not made, or the server is not supervised any more: another worker may. */
export function again(message: string): Error {
  return ApplicationFailure.create({ message, type: FAILURE.again })
}

/** The tool call was interrupted, and may be made again. */
export function broken(): Error {
  return ApplicationFailure.create({ message: 'The connection was lost', type: FAILURE.broken })
}

/** Any other error, without its message: it is retried, since it may come from the database. */
export function unforeseen(activity: string): Error {
  const described: TurnFailure = { code: 'internal_error', message: `'${activity}' failed unexpectedly` }
  return ApplicationFailure.create({ message: described.message, type: FAILURE.retry, details: [described] })
}

/** The name of the credential is in the log. */
export function unreadableCredential(): Error {
  const message = 'A stored credential cannot be decrypted: MUXI_SECRET_KEY must be the key it was stored with'
  return final({ code: 'internal_error', message })
}

/** A budget leaves no room for the call: no other model is asked. The error names neither the key nor the user. */
export function overBudget({ message, details }: MuxiError): Error {
  return final({ code: 'budget_exceeded', message, details: details as TurnFailure['details'] & {} })
}

/** The orchestrator has nothing to choose from. */
export function noAgent(): Error {
  return final({ code: 'unavailable', message: 'There is no agent that could answer' })
}

/** The row and its column are named in the log. */
export function damagedRow(): Error {
  return final({ code: 'internal_error', message: 'A stored row is damaged; the log names it' })
}

function final(described: TurnFailure, type: string = FAILURE.final): Error {
  return ApplicationFailure.nonRetryable(described.message, type, described)
}

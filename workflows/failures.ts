// The failures that workflows read and throw: what an activity reported, how a turn or a job ended.
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow'
import type { TurnFailure } from '../contracts/failures.ts'
import { FAILURE } from '../contracts/temporal.ts'

/** What an activity or this workflow has thrown as a typed failure. */
export function failureOf(error: unknown): ApplicationFailure | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error
  return cause instanceof ApplicationFailure ? cause : undefined
}

/** The failure in the first detail, which activities and workflows put there; any other is an internal error. */
export function describeFailure(error: unknown, what: 'turn' | 'job'): TurnFailure {
  const [described] = (failureOf(error)?.details ?? []) as [TurnFailure?]
  return described ?? { code: 'internal_error', message: `The ${what} failed unexpectedly` }
}

/** A failure of the workflow's own, which no attempt changes. */
export function finalFailure(failure: TurnFailure, type: string = FAILURE.final): ApplicationFailure {
  return ApplicationFailure.nonRetryable(failure.message, type, failure)
}

/** How a workflow ends whose failure is recorded: with the error code as its type. */
export function endedBy(failure: TurnFailure): ApplicationFailure {
  return finalFailure(failure, failure.code)
}

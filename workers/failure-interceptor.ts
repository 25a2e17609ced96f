// Keeps messages of unforeseen errors out of workflow history: they may quote a user, a model or a credential.
import { ApplicationFailure, type Context } from '@temporalio/activity'
import { CancelledFailure } from '@temporalio/common'
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker'
import type { Logger } from 'pino'
import { FAILURE } from '../contracts/temporal.ts'
import type { TurnFailure } from '../contracts/failures.ts'
import { DamagedColumn } from '../db/json-column.ts'
import { UnreadableSecret } from '../db/secret-box.ts'

/**
 * Passes ApplicationFailures; any other error is replaced by one without a message and logged here. It is retried, since it
 * may come from the database; only an undecryptable credential and a damaged row are final.
 */
export function failureInterceptor(context: Context, log: Logger): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      try {
        return await next(input)
      } catch (error) {
        if (error instanceof ApplicationFailure || error instanceof CancelledFailure) throw error
        const { activityType, workflowExecution, attempt } = context.info
        log.error(
          { err: error, activity: activityType, workflow_id: workflowExecution?.workflowId, attempt },
          'an activity failed unexpectedly',
        )
        if (error instanceof UnreadableSecret) throw unreadable()
        if (error instanceof DamagedColumn) throw damaged()
        const described: TurnFailure = { code: 'internal_error', message: `'${activityType}' failed unexpectedly` }
        throw ApplicationFailure.create({ message: described.message, type: FAILURE.retry, details: [described] })
      }
    },
  }
}

/** The row and its column are named in the log. */
function damaged(): ApplicationFailure {
  const described: TurnFailure = { code: 'internal_error', message: 'A stored row is damaged; the log names it' }
  return ApplicationFailure.nonRetryable(described.message, FAILURE.final, described)
}

/** The name of the credential is in the log. */
function unreadable(): ApplicationFailure {
  const described: TurnFailure = {
    code: 'internal_error',
    message: 'A stored credential cannot be decrypted: MUXI_SECRET_KEY must be the key it was stored with',
  }
  return ApplicationFailure.nonRetryable(described.message, FAILURE.final, described)
}

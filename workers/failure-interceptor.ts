// Keeps messages of unforeseen errors out of workflow history: they may quote a user, a model or a credential.
import type { Context } from '@temporalio/activity'
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker'
import type { Logger } from 'pino'
import { damagedRow, deletedFile, isActivityFailure, unforeseen, unreadableCredential } from '../activities/failures.ts'
import { BlobMissing } from '../db/blobs.ts'
import { DamagedColumn } from '../db/json-column.ts'
import { UnreadableSecret } from '../db/secret-box.ts'

/**
 * Passes the failures of `activities/failures.ts`; any other error is replaced by one without a message and logged here. It is retried, since it
 * may come from the database; only an undecryptable credential, a damaged row and deleted bytes are final.
 */
export function failureInterceptor(context: Context, log: Logger): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      try {
        return await next(input)
      } catch (error) {
        if (isActivityFailure(error)) throw error
        const { activityType, workflowExecution, attempt } = context.info
        log.error(
          { err: error, activity: activityType, workflow_id: workflowExecution?.workflowId, attempt },
          'an activity failed unexpectedly',
        )
        if (error instanceof UnreadableSecret) throw unreadableCredential()
        if (error instanceof BlobMissing) throw deletedFile()
        throw error instanceof DamagedColumn ? damagedRow() : unforeseen(activityType)
      }
    },
  }
}

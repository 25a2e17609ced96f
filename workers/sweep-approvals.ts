// Sends lost approval signals again: the row is decided, but the waiting call has not read it.
import { WorkflowNotFoundError, type Client } from '@temporalio/client'
import { workflowId } from '../contracts/temporal.ts'
import { listUntaken, takeApproval } from '../db/queries/approvals.ts'
import type { Storage } from '../db/storage.ts'
import { decided } from '../workflows/messages.ts'

/** The signal of a younger decision may still be in transit. */
const MIN_AGE_MS = 5_000
const PAGE = 100

/** One pass over all decisions that the call has not read; the signal is idempotent. */
export async function sweepApprovals(
  { client, storage: { db } }: { client: Client; storage: Pick<Storage, 'db'> },
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(Date.now() - MIN_AGE_MS).toISOString()
  let after = ''
  for (;;) {
    const untaken = await listUntaken(db, before, PAGE, after)
    for (const { id, turn_id, call_id } of untaken) {
      signal.throwIfAborted()
      try {
        await client.workflow.getHandle(workflowId.toolCall(turn_id, call_id)).signal(decided, id)
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error
        // The call has ended.
        await takeApproval(db, id)
      }
    }
    const last = untaken.at(-1)
    if (!last) return
    after = last.id
  }
}

// Decisions whose news was lost are told again: the row is decided, but the call that waits for it has not looked.
import { WorkflowNotFoundError, type Client } from '@temporalio/client'
import { workflowId } from '../contracts/engine.ts'
import { listUntaken, takeApproval } from '../db/queries/approvals.ts'
import type { Storage } from '../db/storage.ts'
import { decided } from '../workflows/messages.ts'

/** News of a younger decision are on their way. */
const MIN_AGE_MS = 5_000
const PAGE = 100

/** One pass over all decisions that nobody has read; to be told twice does no harm. */
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
        // The call is over: nobody waits any more.
        await takeApproval(db, id)
      }
    }
    const last = untaken.at(-1)
    if (!last) return
    after = last.id
  }
}

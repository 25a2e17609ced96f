// Stop requests of turns and jobs: stored in the row, which every process reads; the caller cancels the workflow.
import { MuxiError } from '../../contracts/failures.ts'
import type { Db, JobsTable, Tx, TurnsTable } from '../schema.ts'

const UNFINISHED: readonly (TurnsTable['status'] | JobsTable['status'])[] = [
  'pending',
  'queued',
  'running',
  'awaiting_approval',
]

type Kind = 'turn' | 'job'

function tableOf(kind: Kind): 'turns' | 'jobs' {
  return kind === 'turn' ? 'turns' : 'jobs'
}

/** Requests that a turn or a job stop. @throws MuxiError `conflict` when it has ended */
export async function requestStop(db: Db | Tx, kind: Kind, id: string): Promise<void> {
  const updated = await db
    .updateTable(tableOf(kind))
    .set({ cancel_requested_at: new Date().toISOString() })
    .where('id', '=', id)
    .where('status', 'in', UNFINISHED)
    .executeTakeFirst()
  if (updated.numUpdatedRows === 0n) throw new MuxiError('conflict', `Cannot cancel ${kind} '${id}': it is over`)
}

/** Requests that a turn stop, unless it has ended or the request exists. */
export async function requestStopIn(tx: Tx, turnId: string): Promise<void> {
  await tx
    .updateTable('turns')
    .set({ cancel_requested_at: new Date().toISOString() })
    .where('id', '=', turnId)
    .where('status', 'in', UNFINISHED)
    .where('cancel_requested_at', 'is', null)
    .execute()
}

/** Those of the given turns and jobs with a stop request. */
export async function findToStop(db: Db, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const asked = (kind: Kind) =>
    db
      .selectFrom(tableOf(kind))
      .select('id')
      .where('id', 'in', ids)
      .where('status', 'in', UNFINISHED)
      .where('cancel_requested_at', 'is not', null)
  const rows = await asked('turn').unionAll(asked('job')).execute()
  return rows.map(({ id }) => id)
}

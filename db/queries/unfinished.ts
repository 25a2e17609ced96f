// How many turns and jobs have not ended, for those who watch a deployment.
import { sql } from 'kysely'
import type { JobKind, JobStatus } from '../../contracts/job.ts'
import type { TurnStatus } from '../../contracts/turn.ts'
import type { Db } from '../schema.ts'

/** By status. Active and waiting turns each have a partial index. */
export async function countUnfinishedTurns(db: Db): Promise<{ status: TurnStatus; n: number }[]> {
  const counts = new Map<TurnStatus, number>()
  for (const activated of ['is', 'is not'] as const) {
    const rows = await db
      .selectFrom('turns')
      .select(({ fn }) => ['status', fn.countAll<number>().as('n')])
      .where('activated_at', activated, null)
      .where('finished_at', 'is', null)
      .groupBy('status')
      .execute()
    for (const { status, n } of rows) counts.set(status, (counts.get(status) ?? 0) + Number(n))
  }
  return [...counts].map(([status, n]) => ({ status, n }))
}

/** By kind and status. */
export async function countUnfinishedJobs(db: Db): Promise<{ kind: JobKind; status: JobStatus; n: number }[]> {
  const rows = await db
    .selectFrom('jobs')
    .select(({ fn }) => ['kind', 'status', fn.countAll<number>().as('n')])
    // As the partial index has it, without parameters: SQLite does not match those.
    .where(sql<boolean>`status in ('queued', 'running')`)
    .groupBy(['kind', 'status'])
    .execute()
  return rows.map(({ kind, status, n }) => ({ kind, status, n: Number(n) }))
}

// Limits of requests as rows, exact over all processes: the generic cell rate algorithm (GCRA, ITU-T I.371), one statement a request.
import { sql } from 'kysely'
import type { RateLimit } from '../../contracts/rate-limits.ts'
import type { Db } from '../schema.ts'

export interface Taken {
  allowed: boolean
  /** Requests that are left. */
  remaining: number
  /** Until the bucket is full again, or, when refused, until the request would be allowed; in milliseconds. */
  wait_ms: number
}

/** Takes requests out of a bucket, all or none. @param now in milliseconds since 1970 */
export async function takeRequests(
  db: Db,
  name: string,
  limit: RateLimit,
  count: number,
  now = Date.now(),
): Promise<Taken> {
  const interval = (limit.seconds * 1_000) / limit.requests
  const whole = limit.seconds * 1_000
  if (count > limit.requests) return { allowed: false, remaining: 0, wait_ms: whole }
  const from = sql<number>`case when rate_limits.full_at > ${now} then rate_limits.full_at else ${now} end`
  const row = await db
    .insertInto('rate_limits')
    .values({ name, full_at: now + count * interval })
    .onConflict((oc) =>
      oc
        .column('name')
        .doUpdateSet({ full_at: sql<number>`${from} + ${count * interval}` })
        .where(sql<boolean>`${from} + ${count * interval} <= ${now + whole}`),
    )
    .returning('full_at')
    .executeTakeFirst()
  if (row) return { allowed: true, remaining: remainingOf(row.full_at), wait_ms: Math.max(0, row.full_at - now) }
  const full_at = await findFullAt(db, name)
  const wait_ms = Math.max(0, (full_at ?? now) + count * interval - whole - now)
  return { allowed: false, remaining: remainingOf(full_at ?? now), wait_ms }

  function remainingOf(fullAt: number): number {
    // Rounded first: the times are fractions of milliseconds.
    return Math.max(0, Math.floor(Number(((whole - Math.max(0, fullAt - now)) / interval).toFixed(6))))
  }
}

async function findFullAt(db: Db, name: string): Promise<number | undefined> {
  const row = await db.selectFrom('rate_limits').select('full_at').where('name', '=', name).executeTakeFirst()
  return row?.full_at
}

/** Deletes the rows of full buckets, which are the same as none. @returns how many */
export async function deleteFullBuckets(db: Db, now = Date.now()): Promise<number> {
  const deleted = await db.deleteFrom('rate_limits').where('full_at', '<', now).executeTakeFirst()
  return Number(deleted.numDeletedRows)
}

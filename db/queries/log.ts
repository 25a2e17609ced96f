// The execution log: one row per (workflow, activity, attempt), kept longer than Temporal's histories.
import type { Compilable } from 'kysely'
import { newId } from '../../contracts/ids.ts'
import { compiled } from '../compiled.ts'
import type { Db, LogEntriesTable, TurnsTable, Tx } from '../schema.ts'

export type LogStart = Pick<
  LogEntriesTable,
  'stream_id' | 'kind' | 'name' | 'workflow_id' | 'activity_id' | 'attempt'
> & {
  input?: unknown
}

export interface LogEnd {
  status: 'completed' | 'failed' | 'cancelled' | 'interrupted'
  duration_ms: number
  output?: unknown
  error?: unknown
  usage?: unknown
}

/**
 * Opens an entry; a repeated delivery of the same attempt finds its own row. Older open attempts are marked as interrupted.
 */
export async function startLogEntry(tx: Tx, start: LogStart): Promise<string> {
  const id = newId('log')
  if (start.attempt > 1)
    await tx
      .updateTable('log_entries')
      .set({ status: 'interrupted' })
      .where('stream_id', '=', start.stream_id)
      .where('workflow_id', '=', start.workflow_id)
      .where('activity_id', '=', start.activity_id)
      .where('status', '=', 'running')
      .execute()
  const row = { ...start, id, input: toJson(start.input), started_at: new Date().toISOString() }
  const [entry] = (await insertRunning(tx, row)).rows
  return entry!.id
}

const insertRunning = compiled<
  Omit<LogStart, 'input'> & { id: string; input: string | null; started_at: string },
  { id: string }
>((db, parameter) =>
  db
    .insertInto('log_entries')
    .values({
      id: parameter('id'),
      stream_id: parameter('stream_id'),
      kind: parameter('kind'),
      name: parameter('name'),
      workflow_id: parameter('workflow_id'),
      activity_id: parameter('activity_id'),
      attempt: parameter('attempt'),
      status: 'running',
      input: parameter('input'),
      started_at: parameter('started_at'),
    })
    .onConflict((oc) => oc.columns(['workflow_id', 'activity_id', 'attempt']).doUpdateSet({ status: 'running' }))
    .returning('id'),
)

/** Adds the entry of a finished operation that was too short to be shown as running. */
export async function addLogEntry(tx: Tx, start: LogStart, end: LogEnd): Promise<void> {
  const started_at = new Date(Date.now() - end.duration_ms).toISOString()
  await tx
    .insertInto('log_entries')
    .values({ ...start, id: newId('log'), input: toJson(start.input), started_at, ...columnsOf(end) })
    .onConflict((oc) => oc.doNothing())
    .execute()
}

/** Closes an entry, unless the end of its turn has closed it. */
export async function endLogEntry(db: Db | Tx, id: string, end: LogEnd): Promise<void> {
  await updateEnded(db, { id, ...columnsOf(end) })
}

/** Closes the entry of an activity, by its place. */
export async function endLogEntryOf(
  tx: Tx,
  place: Pick<LogStart, 'workflow_id' | 'activity_id'>,
  end: LogEnd,
): Promise<void> {
  const entry = await entriesOf(tx, place).executeTakeFirst()
  if (entry) await endLogEntry(tx, entry.id, end)
}

const updateEnded = compiled<ReturnType<typeof columnsOf> & { id: string }>(
  (db, parameter) =>
    db
      .updateTable('log_entries')
      .set({
        status: parameter('status'),
        duration_ms: parameter('duration_ms'),
        output: parameter('output'),
        error: parameter('error'),
        usage: parameter('usage'),
      })
      .where('id', '=', parameter('id'))
      .where('status', 'in', ['running', 'interrupted']) as unknown as Compilable<never>,
)

/** Marks running entries of an ended turn or job as interrupted. */
export async function interruptEntries(tx: Tx, streamId: string): Promise<void> {
  await tx
    .updateTable('log_entries')
    .set({ status: 'interrupted' })
    .where('stream_id', '=', streamId)
    .where('status', '=', 'running')
    .execute()
}

/** Whether an attempt of an activity has completed. */
export async function hasCompleted(db: Db, place: Pick<LogStart, 'workflow_id' | 'activity_id'>): Promise<boolean> {
  return (await entriesOf(db, place).where('status', '=', 'completed').executeTakeFirst()) !== undefined
}

/** The attempts of an activity. */
function entriesOf(db: Db | Tx, { workflow_id, activity_id }: Pick<LogStart, 'workflow_id' | 'activity_id'>) {
  return db
    .selectFrom('log_entries')
    .select('id')
    .where('workflow_id', '=', workflow_id)
    .where('activity_id', '=', activity_id)
}

/** How many attempts of an activity have begun, or ended with a status. */
export async function countAttempts(
  db: Db | Tx,
  workflowId: string,
  activityId: string,
  status?: LogEnd['status'],
): Promise<number> {
  const { n } = await db
    .selectFrom('log_entries')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('workflow_id', '=', workflowId)
    .where('activity_id', '=', activityId)
    .$if(status !== undefined, (attempts) => attempts.where('status', '=', status!))
    .executeTakeFirstOrThrow()
  return Number(n)
}

export function listLogOfTurn(db: Db, turnId: string): Promise<LogEntriesTable[]> {
  return db.selectFrom('log_entries').selectAll().where('stream_id', '=', turnId).orderBy('id').execute()
}

export interface LogFilter {
  agent_id?: string | undefined
  user_id?: string | undefined
  kind?: LogEntriesTable['kind'] | undefined
  status?: LogEntriesTable['status'] | undefined
  /** The earliest begin, in UTC. */
  since?: string | undefined
  cursor?: string | undefined
  limit: number
}

/** Entries of turns, newest first. */
export function listLog(
  db: Db,
  { agent_id, user_id, kind, status, since, cursor, limit }: LogFilter,
): Promise<(LogEntriesTable & Pick<TurnsTable, 'agent_id' | 'user_id'>)[]> {
  let query = db
    .selectFrom('log_entries')
    .innerJoin('turns', 'turns.id', 'log_entries.stream_id')
    .selectAll('log_entries')
    .select(['turns.agent_id', 'turns.user_id'])
    .orderBy('log_entries.id', 'desc')
    .limit(limit)
  if (agent_id !== undefined) query = query.where('turns.agent_id', '=', agent_id)
  if (user_id !== undefined) query = query.where('turns.user_id', '=', user_id)
  if (kind !== undefined) query = query.where('log_entries.kind', '=', kind)
  if (status !== undefined) query = query.where('log_entries.status', '=', status)
  if (since !== undefined) query = query.where('log_entries.started_at', '>=', since)
  if (cursor !== undefined) query = query.where('log_entries.id', '<', cursor)
  return query.execute()
}

/** The entries of a turn in order, without what they hold. */
export function listLogStates(db: Db, turnId: string): Promise<Pick<LogEntriesTable, 'id' | 'status'>[]> {
  return db.selectFrom('log_entries').select(['id', 'status']).where('stream_id', '=', turnId).orderBy('id').execute()
}

export function readLogEntries(db: Db, ids: readonly string[]): Promise<LogEntriesTable[]> {
  return db.selectFrom('log_entries').selectAll().where('id', 'in', ids).orderBy('id').execute()
}

function columnsOf({ status, duration_ms, output, error, usage }: LogEnd) {
  return {
    status,
    duration_ms: Math.round(duration_ms),
    output: toJson(output),
    error: toJson(error),
    usage: toJson(usage),
  }
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

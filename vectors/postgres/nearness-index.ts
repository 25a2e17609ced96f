// The HNSW index of a set of vectors: created with its table, or built in bulk over a table that is full.
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from '../../db/schema.ts'

/** Most dimensions of an HNSW index of halfvec; larger vectors are scanned exactly. */
const MOST_INDEXED_DIMENSIONS = 4_000
/** Interval of attempts at the lock of a build, in milliseconds. */
const LOCK_LOOK_MS = 250
/** Of the graph of 16 neighbours, besides the vector of two bytes a dimension. */
const GRAPH_BYTES_A_VECTOR = 1_200
/** Most memory of a build, unless the server allows more: beyond it the graph is written row by row. */
const MOST_BUILD_MB = 512
/** Parallel builds have their graph in shared memory, which containers limit to 64 MB. */
const OUT_OF_MEMORY = new Set(['53100', '53200'])

/** Creates the index of an empty table, which then grows with every row. */
export async function createNearnessIndex(tx: Tx, table: string, dimension: number): Promise<void> {
  if (dimension > MOST_INDEXED_DIMENSIONS) return
  await sql`create index if not exists ${sql.ref(nameOf(table))} on ${sql.table(table)}
    using hnsw (embedding halfvec_cosine_ops)`.execute(tx)
}

export interface IndexBuilding {
  /** Connections without a timeout of statements. */
  builds: Db
  /** Others, by which a build is cancelled. */
  others: Db
}

/**
 * Builds the index of a table, unless it has one; rows are added and deleted meanwhile.
 * @throws the signal's reason
 */
export async function buildNearnessIndex(
  { builds, others }: IndexBuilding,
  table: string,
  dimension: number,
  signal: AbortSignal,
): Promise<void> {
  if (dimension > MOST_INDEXED_DIMENSIONS) return
  const name = nameOf(table)
  await builds.connection().execute(async (db) => {
    await lock(db, name, signal)
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    let cancelling: Promise<unknown> | undefined
    const cancel = () => {
      cancelling = sql`select pg_cancel_backend(${rows[0]!.pid})`.execute(others).catch(() => undefined)
    }
    signal.addEventListener('abort', cancel)
    try {
      signal.throwIfAborted()
      // Roles and databases may have one.
      await sql`set statement_timeout = 0`.execute(db)
      if (!(await isValid(db, name))) await build(db, table, name, dimension)
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', cancel)
      await cancelling
      // Takes a cancellation that arrives late.
      if (cancelling) await sql`select 1`.execute(db).catch(() => undefined)
      await sql`reset statement_timeout`.execute(db)
      await sql`reset maintenance_work_mem`.execute(db)
      await sql`reset max_parallel_maintenance_workers`.execute(db)
      await sql`select pg_advisory_unlock(hashtextextended(${name}, 0))`.execute(db)
    }
  })
}

async function build(db: Db, table: string, name: string, dimension: number): Promise<void> {
  const { rows } = await sql<{ vectors: number; allowed_kb: number }>`select
    (select count(*) from ${sql.table(table)}) as vectors,
    (select setting::int from pg_settings where name = 'maintenance_work_mem') as allowed_kb`.execute(db)
  const { vectors, allowed_kb } = rows[0]!
  const needed_kb = Math.ceil((vectors * (GRAPH_BYTES_A_VECTOR + 2 * dimension)) / 1_024)
  const memory_kb = Math.max(allowed_kb, Math.min(needed_kb, MOST_BUILD_MB * 1_024))
  await sql`set maintenance_work_mem = ${sql.lit(memory_kb)}`.execute(db)
  try {
    await create(db, table, name)
  } catch (error) {
    if (!OUT_OF_MEMORY.has(String((error as { code?: unknown }).code))) throw error
    await sql`set max_parallel_maintenance_workers = 0`.execute(db)
    await create(db, table, name)
  }
}

/** Concurrently: otherwise the removal of a document, which deletes its vectors, would wait for the build. */
async function create(db: Db, table: string, name: string): Promise<void> {
  // A build that was interrupted leaves an invalid index.
  await sql`drop index concurrently if exists ${sql.ref(name)}`.execute(db)
  await sql`create index concurrently ${sql.ref(name)} on ${sql.table(table)}
    using hnsw (embedding halfvec_cosine_ops)`.execute(db)
}

/**
 * Locks the build of an index in all processes. Not by a statement that waits: a concurrent build waits for the statements of others.
 */
async function lock(db: Db, name: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await sql<{ locked: boolean }>`
      select pg_try_advisory_lock(hashtextextended(${name}, 0)) as locked`.execute(db)
    if (rows[0]!.locked) return
    await delay(LOCK_LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

async function isValid(db: Db, name: string): Promise<boolean> {
  const { rows } = await sql<{ valid: boolean }>`
    select indisvalid as valid from pg_index where indexrelid = to_regclass(${name})`.execute(db)
  return rows[0]?.valid ?? false
}

function nameOf(table: string): string {
  return `${table}_by_nearness`
}

// Everything specific to SQLite: opening a file with node:sqlite, its locks, and detection of other processes' commits.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate as nextIteration, setTimeout as delay } from 'node:timers/promises'
import {
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
  sql,
  type CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
  type SelectModifierNode,
  type SqliteDatabase,
  type SqliteDialectConfig,
  type RawBuilder,
} from 'kysely'
import { withoutNul } from '../contracts/nul.ts'
import { Checkpoints } from './checkpoints.ts'
import type { Database, Differences, NewSegment } from './dialect.ts'
import type { DB, Tx } from './schema.ts'
import { NodeSqlite } from './node-sqlite.ts'
import { PolledCommits } from './sqlite-commits.ts'
import { LoopShare } from './loop-share.ts'
import { sqliteWords } from './sqlite-words.ts'
import { BUSY_MS, openFile } from './sqlite-file.ts'
import type { RowTrigger } from './row-trigger.ts'

/** Retry interval of a statement that waits for another process's write, in milliseconds. */
const BUSY_LOOK_MS = 2
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** Pages of 4 KiB in the WAL at which a writer makes the checkpoint itself. */
const LONGEST_LOG_PAGES = 8_192

/** Opens (and creates) the database file in WAL mode. @throws Error that names the file */
export function openSqlite(file: string): Database {
  try {
    return open(file)
  } catch (error) {
    throw (
      damageIn(file, error) ??
      new Error(`Cannot open the database file '${file}': ${(error as Error).message}`, { cause: error })
    )
  }
}

/** The error for a file that is damaged or not a database, with the name of the file; undefined for any other error. */
function damageIn(file: string, error: unknown): Error | undefined {
  const { errcode } = (error ?? {}) as { errcode?: unknown }
  if (typeof errcode !== 'number' || ![SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff)) return undefined
  return new Error(
    `Cannot use the database file '${file}': ${(error as Error).message}. Restore it from a backup, or move it away to begin with an empty one`,
    { cause: error },
  )
}

function open(file: string): Database {
  mkdirSync(dirname(file), { recursive: true })
  const raw = openFile(file)
  // WAL: readers never wait for the writer. NORMAL: a killed process loses nothing; a power cut may lose the last commits.
  patiently(() => raw.exec('pragma journal_mode = wal'))
  raw.exec('pragma synchronous = normal; pragma foreign_keys = on; pragma journal_size_limit = 67108864')
  // Checkpoints wait for the disk: a thread makes them, and a writer only when the thread falls far behind.
  raw.exec(`pragma wal_autocheckpoint = ${LONGEST_LOG_PAGES}`)
  const checkpoints = new Checkpoints(file)
  // SQLite's own busy wait would block the event loop.
  raw.exec('pragma busy_timeout = 0')
  const db = new Kysely<DB>({ dialect: new Dialect(file, new NodeSqlite(raw), () => checkpoints.count()) })
  const commits = new PolledCommits(raw)
  const close = async () => {
    await checkpoints.close()
    await db.destroy()
  }
  return { db, commits, stops: commits, version: () => commits.version(), close }
}

/** Of two processes that change the mode of a new file at once, SQLite refuses one without waiting. Blocks the thread, at the start. */
function patiently(act: () => void): void {
  const until = performance.now() + BUSY_MS
  for (;;) {
    try {
      return act()
    } catch (error) {
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== SQLITE_BUSY || performance.now() > until) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_LOOK_MS)
    }
  }
}

class Dialect extends SqliteDialect {
  readonly #file: string
  readonly #database: SqliteDatabase
  readonly #committed: () => void

  constructor(file: string, database: SqliteDatabase, committed: () => void) {
    super({ database })
    this.#file = file
    this.#database = database
    this.#committed = committed
  }

  override createDriver(): PatientDriver {
    return new PatientDriver(this.#file, { database: this.#database }, this.#committed)
  }

  override createAdapter(): Adapter {
    return new Adapter()
  }

  override createQueryCompiler(): Compiler {
    return new Compiler()
  }
}

class PatientDriver extends SqliteDriver {
  readonly #share = new LoopShare()
  readonly #file: string
  readonly #committed: () => void
  #connection: PatientConnection | undefined

  constructor(file: string, config: SqliteDialectConfig, committed: () => void) {
    super(config)
    this.#file = file
    this.#committed = committed
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection)
    this.#committed()
  }

  /** SQLite has rolled back by itself when the disk is full or failed; that error must be thrown. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection)
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('no transaction is active'))) throw error
    }
  }

  /** Statements block the thread: transactions that wait for one another would run without the event loop in between. */
  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#share.isUsed()) await nextIteration()
    return (this.#connection ??= new PatientConnection(this.#file, await super.acquireConnection()))
  }
}

/** Waits for another process's write without blocking the event loop. */
class PatientConnection implements DatabaseConnection {
  readonly #file: string
  readonly #connection: DatabaseConnection

  constructor(file: string, connection: DatabaseConnection) {
    this.#file = file
    this.#connection = connection
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const deadline = performance.now() + BUSY_MS
    for (;;) {
      try {
        return await this.#connection.executeQuery<R>(query)
      } catch (error) {
        const { errcode } = error as { errcode?: unknown }
        if (errcode !== SQLITE_BUSY || performance.now() > deadline) throw damageIn(this.#file, error) ?? error
        await delay(BUSY_LOOK_MS * (0.5 + Math.random()))
      }
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#connection.streamQuery(query, chunkSize)
  }
}

/** Every transaction is `begin immediate`: there is one writer at a time, which needs no further locks. */
class Adapter extends SqliteAdapter implements Differences {
  readonly words = sqliteWords

  /** SQLite supports it, which Kysely does not know: it lets several processes migrate one new file at once. */
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  bind(value: unknown): unknown {
    return typeof value === 'string' ? withoutNul(value) : value
  }

  timeIn(ms: number): RawBuilder<string> {
    return sql<string>`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`${ms / 1_000} seconds`})`
  }

  async lockNames(): Promise<void> {}

  async appendSegments(tx: Tx, segments: readonly NewSegment[]): Promise<{ stream_id: string; head: number }[]> {
    const added = segments.map(
      ({ stream_id, count, ended, events }) => sql`(${stream_id}, ${count}, ${ended ? 1 : 0}, ${events})`,
    )
    // A stream that has ended returns no row. The trigger of `countStreams` moves the heads.
    const { rows } = await sql<{ stream_id: string; head: number }>`
      with added (stream_id, n, ended, events) as (values ${sql.join(added)})
      insert into event_segments (stream_id, first_id, last_id, events, ended)
      select added.stream_id, coalesce(head, 0) + 1, coalesce(head, 0) + n, added.events, added.ended
      from added left join event_streams using (stream_id)
      where coalesce(event_streams.ended, 0) = 0
      returning stream_id, last_id as head`.execute(tx)
    return rows
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  async countStreams(db: Kysely<any>): Promise<void> {
    await sql`
      create trigger count_streams after insert on event_segments begin
        insert into event_streams (stream_id, head, ended, updated_at)
        values (new.stream_id, new.last_id, new.ended, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        on conflict (stream_id) do update
        set head = excluded.head, ended = excluded.ended, updated_at = excluded.updated_at;
      end`.execute(db)
  }

  async announceEvents(): Promise<void> {}

  async announceStops(): Promise<void> {}

  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  async addRowTrigger(db: Kysely<any>, { name, event, body }: RowTrigger): Promise<void> {
    await sql`create trigger ${sql.ref(name)} ${event} begin ${body} end`.execute(db)
  }
}

class Compiler extends SqliteQueryCompiler {
  /** `for update` and `skip locked` mean nothing where there is one writer at a time. */
  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (node.modifier === 'Distinct') super.visitSelectModifier(node)
  }

  /** As in Postgres; functions of SQLite also take a NUL for the end of a text. */
  protected override appendValue(parameter: unknown): void {
    super.appendValue(typeof parameter === 'string' ? withoutNul(parameter) : parameter)
  }
}

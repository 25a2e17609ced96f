// Everything specific to Postgres: the pool, its locks, and one LISTEN connection for other processes' commits.
import { randomBytes } from 'node:crypto'
import {
  CompiledQuery,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresQueryCompiler,
  sql,
  type ColumnDefinitionNode,
  type DataTypeNode,
  type RawBuilder,
} from 'kysely'
import pg from 'pg'
import { withoutNul } from '../contracts/nul.ts'
import type { Database, Differences, NewSegment } from './dialect.ts'
import { PostgresClient } from './postgres-client.ts'
import { postgresWords } from './postgres-words.ts'
import { Listener, toCommits } from './postgres-listener.ts'
import type { DB, Tx } from './schema.ts'
import type { RowTrigger } from './row-trigger.ts'

const POOL_SIZE = 16
/** A separate pool, because of different session settings; a search uses two connections at once. */
const SEARCH_CONNECTIONS = 4
/** How long a query waits for a connection, and a connection for the server, in milliseconds. */
const CONNECT_MS = 5_000
/** Statements that take longer are cancelled by the server; if it does not respond, the client gives up a little later. */
const STATEMENT_MS = 10_000
const SILENCE_MS = 12_000
const LIMITS = { statement_timeout: STATEMENT_MS, query_timeout: SILENCE_MS }
/** Timeout that releases the locks of a process that was suspended inside a transaction. */
const IDLE_IN_TRANSACTION_MS = 5_000

const COMMITS = 'muxi_commits'
const STOPS = 'muxi_stops'
/** Limits of one notification, and of a segment that it carries, in bytes. */
const PAYLOAD_BYTES = 5_000
const SMALL_BYTES = 1_500

export function openPostgres(url: string): Database {
  const sender = `muxi-${randomBytes(6).toString('hex')}`
  const pool = openPool(url, POOL_SIZE, {
    application_name: sender,
    ...LIMITS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  })
  const db = open(pool)
  const commits = new Listener(url, sender, COMMITS, toCommits)
  const stops = new Listener(url, sender, STOPS, ([id]) => [id!])
  return {
    db,
    commits,
    stops,
    connections: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      await commits.close()
      await stops.close()
      await db.destroy()
    },
  }
}

/** A pool for searches. @param settings of each connection's session */
export function openPostgresForSearches(url: string, settings: Readonly<Record<string, string>>): Kysely<DB> {
  return open(openPool(url, SEARCH_CONNECTIONS, { application_name: 'muxi-search', ...LIMITS }), settings)
}

/** For migrations and index builds: without statement timeouts, since they may be slow and wait for those of another process. */
export function openPostgresPatiently(url: string, application_name = 'muxi-migration'): Kysely<DB> {
  return open(openPool(url, 1, { application_name }))
}

function openPool(url: string, max: number, config: pg.ClientConfig): pg.Pool {
  const pool = new pg.Pool({
    Client: PostgresClient,
    connectionString: url,
    max,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    types: NUMBERS,
    ...config,
  })
  // A dead connection emits `error` also when idle; a user of it gets the error from the failing query.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** @param settings of each connection's session */
function open(pool: pg.Pool, settings: Readonly<Record<string, string>> = {}): Kysely<DB> {
  const set = Object.entries(settings).map(([name, value]) => `set ${name} = '${value}'`)
  return new Kysely<DB>({
    dialect: new Dialect({
      pool,
      onCreateConnection: async (connection) => {
        if (set.length > 0) await connection.executeQuery(CompiledQuery.raw(set.join('; ')))
      },
    }),
  })
}

/** Counts, sizes and ids are parsed as numbers, as in SQLite; all are far below 2^53. */
const NUMBERS: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)),
}

/** SQLSTATE classes and codes: connection, resources, system; deadlock and serialization, lock and statement timeouts, shut-downs. */
const AWAY_STATES = /^(08...|53...|58...|57P0[123]|57014|40001|40P01|55P03|25P0[34])$/
const AWAY_CODES = /^E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN|NOENT)$/
const AWAY_SYSCALLS = /^(connect|read|write|getaddrinfo)$/
/** Messages of pg without an error code. */
const AWAY_WORDS =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (has encountered a connection error|was closed) and is not queryable)/

/** The server is unreachable, shutting down, starting, or too busy to respond in time. */
export function isPostgresAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (error instanceof pg.DatabaseError) return AWAY_STATES.test(String(code))
  // All addresses of the host name failed.
  if (error instanceof AggregateError) return error.errors.some(isPostgresAway)
  return (AWAY_CODES.test(String(code)) && AWAY_SYSCALLS.test(String(syscall))) || AWAY_WORDS.test(error.message)
}

class Dialect extends PostgresDialect {
  override createAdapter(): Adapter {
    return new Adapter()
  }

  override createQueryCompiler(): Compiler {
    return new Compiler()
  }
}

class Adapter extends PostgresAdapter implements Differences {
  readonly words = postgresWords

  bind(value: unknown): unknown {
    return typeof value === 'string' ? withoutNul(value) : value
  }

  timeIn(ms: number): RawBuilder<string> {
    return sql<string>`to_char((clock_timestamp() + ${ms}::float8 * interval '1 millisecond') at time zone 'utc',
      'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  }

  async lockNames(tx: Tx, names: readonly string[]): Promise<void> {
    const locks = names.map((name) => sql`pg_advisory_xact_lock(hashtextextended(${name}, 0))`)
    await sql`select ${sql.join(locks)}`.execute(tx)
  }

  async appendSegments(tx: Tx, segments: readonly NewSegment[]): Promise<{ stream_id: string; head: number }[]> {
    const all = <K extends keyof NewSegment>(key: K) => segments.map((segment) => segment[key])
    const { rows } = await sql<{ stream_id: string; head: number }>`
      with added as (
        select * from unnest(${all('stream_id')}::text[], ${all('count')}::int[], ${all('ended')}::bool[], ${all('events')}::text[])
          as added (stream_id, count, ended, events)
      ), numbered as (
        insert into event_streams as streams (stream_id, head, ended, updated_at)
        select stream_id, count, ended::int, ${new Date().toISOString()} from added
        on conflict (stream_id) do update
        set head = streams.head + excluded.head, ended = excluded.ended, updated_at = excluded.updated_at
        where streams.ended = 0
        returning stream_id, head
      )
      insert into event_segments (stream_id, first_id, last_id, events, ended)
      select stream_id, head - count + 1, head, events, ended::int from numbered join added using (stream_id)
      returning stream_id, last_id as head`.execute(tx)
    return rows
  }

  async countStreams(): Promise<void> {}

  /** Triggers, so that every writer notifies, without a round trip; a NOTIFY is sent when its transaction commits. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  async announceEvents(db: Kysely<any>): Promise<void> {
    // A payload may have 8000 bytes. Small segments are included, which saves a read; larger ones are announced by their
    // numbers.
    await sql`
      create or replace function muxi_announce_events() returns trigger language plpgsql as $$
      begin
        perform pg_notify(${sql.lit(COMMITS)}, current_setting('application_name') || E'\\n' || string_agg(told, E'\\n'))
        from (
          select told, sum(octet_length(told) + 1) over (rows unbounded preceding) / ${sql.lit(PAYLOAD_BYTES)} as part
          from (
            select stream_id || ' ' || last_id
              || case when octet_length(events) <= ${sql.lit(SMALL_BYTES)} then ' ' || first_id || ' ' || events else '' end as told
            from added
          ) each
        ) parted
        group by part;
        return null;
      end $$`.execute(db)
    await sql`
      create or replace trigger announce_events after insert on event_segments
      referencing new table as added for each statement execute function muxi_announce_events()`.execute(db)
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  async announceStops(db: Kysely<any>, table: string): Promise<void> {
    await sql`
      create or replace function muxi_announce_stop() returns trigger language plpgsql as $$
      begin
        perform pg_notify(${sql.lit(STOPS)}, current_setting('application_name') || E'\\n' || new.id);
        return null;
      end $$`.execute(db)
    await sql`
      create or replace trigger announce_stop after update of cancel_requested_at on ${sql.table(table)}
      for each row when (new.cancel_requested_at is not null) execute function muxi_announce_stop()`.execute(db)
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  async addRowTrigger(db: Kysely<any>, { name, event, body }: RowTrigger): Promise<void> {
    const called = sql.ref(`muxi_${name}`)
    await sql`create function ${called}() returns trigger language plpgsql as $$ begin ${body} return null; end $$`.execute(
      db,
    )
    await sql`create trigger ${sql.ref(name)} ${event} for each row execute function ${called}()`.execute(db)
  }
}

class Compiler extends PostgresQueryCompiler {
  /**
   * Text is ordered by bytes, as in SQLite, independent of the locale of the database: ids and names are compared by range.
   */
  protected override visitColumnDefinition(node: ColumnDefinitionNode): void {
    const type = node.dataType as DataTypeNode
    if (type.kind !== 'DataTypeNode' || type.dataType !== 'text') return super.visitColumnDefinition(node)
    super.visitColumnDefinition({ ...node, dataType: sql`text collate "C"`.toOperationNode() })
  }

  protected override appendValue(parameter: unknown): void {
    super.appendValue(typeof parameter === 'string' ? withoutNul(parameter) : parameter)
  }
}

// Everything that is particular to SQLite: opening a file with node:sqlite, and the shape in which Kysely's driver wants it.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { getLoadablePath } from 'sqlite-vec'
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely'
import type { DB } from './schema.ts'

/** How long a statement waits for another process's write, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000
const CACHED_STATEMENTS = 256

export interface SqliteHandle {
  db: Kysely<DB>
  /** A number that changes when another process has committed to the file (a few microseconds). */
  foreignVersion: () => number
}

/** Opens (and creates) the database file in WAL mode. */
export function openSqlite(file: string): SqliteHandle {
  mkdirSync(dirname(file), { recursive: true })
  const raw = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, allowExtension: true })
  raw.loadExtension(getLoadablePath())
  // Deno 2.9 has no such method.
  raw.enableLoadExtension?.(false)
  // A search reads all vectors of an agent: mapped, they need not be copied (10,000 in 6 instead of 10 ms).
  raw.exec('pragma mmap_size = 268435456')
  // WAL: readers never wait for the writer. NORMAL: a killed process loses nothing; a power cut may lose the last commits.
  raw.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on; pragma journal_size_limit = 67108864')
  const version = raw.prepare('pragma data_version')
  return {
    db: new Kysely<DB>({ dialect: new SqliteDialect({ database: new NodeSqlite(raw) }) }),
    foreignVersion: () => Number((version.get() as { data_version: number }).data_version),
  }
}

/** node:sqlite in the shape of better-sqlite3, which Kysely's driver expects; prepared statements are kept. */
class NodeSqlite implements SqliteDatabase {
  readonly #raw: DatabaseSync
  readonly #statements = new Map<string, NodeStatement>()

  constructor(raw: DatabaseSync) {
    this.#raw = raw
  }

  prepare(text: string): SqliteStatement {
    // A deferred transaction that first reads and then writes fails at once when another process wrote in between.
    const sql = text === 'begin' ? 'begin immediate' : text
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = new NodeStatement(this.#raw.prepare(sql))
    if (this.#statements.size >= CACHED_STATEMENTS) {
      const [oldest] = this.#statements.keys()
      this.#statements.delete(oldest!)
    }
    this.#statements.set(sql, statement)
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.#raw.close()
  }
}

class NodeStatement implements SqliteStatement {
  readonly #statement: StatementSync
  readonly reader: boolean

  constructor(statement: StatementSync) {
    this.#statement = statement
    this.reader = statement.columns().length > 0
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...(parameters as SQLInputValue[]))
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.#statement.run(...(parameters as SQLInputValue[]))
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...(parameters as SQLInputValue[]))
  }
}

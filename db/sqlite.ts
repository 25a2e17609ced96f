// Everything that is particular to SQLite: opening a file with node:sqlite, its locks, and news of other processes' commits.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  SqliteQueryCompiler,
  type SelectModifierNode,
  type SqliteDatabase,
  type SqliteStatement,
} from 'kysely'
import type { Commits, Database, Differences, ForeignCommits } from './dialect.ts'
import type { DB } from './schema.ts'

/** How long a statement waits for another process's write, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000
const CACHED_STATEMENTS = 256
/** How often the file is looked at for other processes' commits, in milliseconds. */
const POLL_MS = 15

/** Opens (and creates) the database file in WAL mode. */
export function openSqlite(file: string): Database {
  mkdirSync(dirname(file), { recursive: true })
  const raw = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  // WAL: readers never wait for the writer. NORMAL: a killed process loses nothing; a power cut may lose the last commits.
  raw.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on; pragma journal_size_limit = 67108864')
  const db = new Kysely<DB>({ dialect: new Dialect({ database: new NodeSqlite(raw) }) })
  return { db, commits: new PolledCommits(raw), close: () => db.destroy() }
}

/** Busy, locked, or the disk failed. */
export function isSqliteAway(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && [5, 6, 10, 13, 14].includes(errcode & 0xff)
}

class Dialect extends SqliteDialect {
  override createAdapter(): Adapter {
    return new Adapter()
  }

  override createQueryCompiler(): Compiler {
    return new Compiler()
  }
}

/** Every transaction is `begin immediate`: there is one writer at a time, who needs no further locks. */
class Adapter extends SqliteAdapter implements Differences {
  /** SQLite has it, Kysely does not know: it is what lets several processes migrate one new file at once. */
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  async lockNames(): Promise<void> {}

  async createAnnouncements(): Promise<void> {}
}

class Compiler extends SqliteQueryCompiler {
  /** `for update` and `skip locked` mean nothing where there is one writer at a time. */
  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (node.modifier === 'Distinct') super.visitSelectModifier(node)
  }
}

/** Tells when another process has committed to the file, by a short poll that costs microseconds. */
class PolledCommits implements ForeignCommits {
  readonly #version: StatementSync
  readonly #listeners = new Set<(commits: Commits | undefined) => void>()
  #seen: number
  #timer: NodeJS.Timeout | undefined

  constructor(raw: DatabaseSync) {
    // A number that changes when another connection has committed.
    this.#version = raw.prepare('pragma data_version')
    this.#seen = this.#read()
  }

  listen(listener: (commits: Commits | undefined) => void): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.#look(), POLL_MS)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #look(): void {
    const version = this.#read()
    if (version === this.#seen) return
    this.#seen = version
    for (const listener of this.#listeners) listener(undefined)
  }

  #read(): number {
    return Number((this.#version.get() as { data_version: number }).data_version)
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

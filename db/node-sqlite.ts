// node:sqlite behind the interface that Kysely's driver for SQLite expects.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { SqliteDatabase, SqliteStatement } from 'kysely'

const CACHED_STATEMENTS = 256

/**
 * An adapter of node:sqlite to the interface of better-sqlite3, which Kysely's driver expects; prepared statements are
 * cached.
 */
export class NodeSqlite implements SqliteDatabase {
  readonly #raw: DatabaseSync
  readonly #statements = new Map<string, NodeStatement>()

  constructor(raw: DatabaseSync) {
    this.#raw = raw
  }

  prepare(text: string): SqliteStatement {
    // A deferred transaction that first reads and then writes fails at once when another process has written in between.
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

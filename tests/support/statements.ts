// Records the SQL statements of a piece of work, with the transactions they are in. Watches the drivers, so it must be called before storages are opened.
import { PostgresDriver, SqliteDriver, type DatabaseConnection } from 'kysely'
import { onTestFinished } from 'vitest'

export interface Recorded {
  /** The statements of each committed transaction that does more than append text to event streams. */
  transactions: string[][]
  /** Statements outside of transactions. */
  single: string[]
  /** Appended text, which depends on how fast the model is. */
  flushes: number
}

/** @returns a function that runs a piece of work and resolves to what it has asked of the databases */
export function watchStatements(): (work: () => Promise<unknown>) => Promise<Recorded> {
  let log: { connection: DatabaseConnection; sql: string }[] | undefined
  const watched = new WeakSet<DatabaseConnection>()
  for (const { prototype } of [PostgresDriver, SqliteDriver]) {
    const acquire = prototype.acquireConnection
    prototype.acquireConnection = async function () {
      const connection = await acquire.call(this)
      if (watched.has(connection)) return connection
      watched.add(connection)
      const execute = connection.executeQuery.bind(connection)
      connection.executeQuery = (query, ...more) => {
        log?.push({ connection, sql: query.sql })
        return execute(query, ...more)
      }
      return connection
    }
    onTestFinished(() => {
      prototype.acquireConnection = acquire
    })
  }
  return async (work) => {
    log = []
    await work()
    const recorded = group(log)
    log = undefined
    return recorded
  }
}

function group(log: readonly { connection: DatabaseConnection; sql: string }[]): Recorded {
  const recorded: Recorded = { transactions: [], single: [], flushes: 0 }
  const open = new Map<DatabaseConnection, string[]>()
  for (const { connection, sql } of log) {
    const transaction = open.get(connection)
    if (/^(begin|start transaction)/.test(sql)) open.set(connection, [])
    else if (!transaction) recorded.single.push(sql)
    else if (sql !== 'commit') transaction.push(sql)
    else {
      open.delete(connection)
      if (transaction.every((statement) => /event_(fences|segments)/.test(statement))) recorded.flushes += 1
      else recorded.transactions.push(transaction)
    }
  }
  return recorded
}

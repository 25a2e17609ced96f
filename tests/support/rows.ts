// Rows of either database as it is, past our own code: for what no route shows.
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

export type Row = Record<string, string | number | null>
/** Runs a statement whose parameters stand as `?`. */
export type Ask = (statement: string, ...parameters: string[]) => Promise<Row[]>

/** A SQLite file, or the address of a Postgres database. */
export type Place = { file: string } | { url: string }

/** Everything that `work` reads is of one moment, even when something still writes. */
export async function readRows<T>(place: Place, work: (ask: Ask) => Promise<T>): Promise<T> {
  return 'file' in place ? readSqlite(place.file, work) : readPostgres(place.url, work)
}

/** Runs statements that change the database. */
export async function writeRows(place: Place, statements: string[]): Promise<void> {
  if ('file' in place) {
    const db = new DatabaseSync(place.file, { timeout: 10_000 })
    try {
      for (const statement of statements) db.exec(statement)
    } finally {
      db.close()
    }
    return
  }
  const client = new pg.Client({ connectionString: place.url, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end().catch(() => {})
  }
}

async function readSqlite<T>(file: string, work: (ask: Ask) => Promise<T>): Promise<T> {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  try {
    db.exec('begin')
    return await work(async (statement, ...parameters) => db.prepare(statement).all(...parameters) as Row[])
  } finally {
    db.close()
  }
}

async function readPostgres<T>(connectionString: string, work: (ask: Ask) => Promise<T>): Promise<T> {
  // Counts and sums come as numbers, as from SQLite.
  const toNumber = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC])
  const types: pg.CustomTypesConfig = {
    getTypeParser: (oid, format) => (toNumber.has(oid) ? Number : pg.types.getTypeParser(oid, format)),
  }
  const client = new pg.Client({ connectionString, types, connectionTimeoutMillis: 10_000, query_timeout: 30_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('begin isolation level repeatable read read only')
    return await work(async (statement, ...parameters) => {
      let n = 0
      const { rows } = await client.query<Row>(
        statement.replaceAll('?', () => `$${(n += 1)}`),
        parameters,
      )
      return rows
    })
  } finally {
    await client.end().catch(() => {})
  }
}

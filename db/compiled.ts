// Statements that never change, compiled once for a database: building and compiling one costs more than executing it on SQLite.
import type { Compilable, CompiledQuery, InsertType, QueryResult } from 'kysely'
import { differencesOf } from './dialect.ts'
import type { DB, Db, Tx } from './schema.ts'

/** Placeholder of a parameter while the statement is built. */
class Parameter {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Returns the placeholder of a parameter, typed as its value. */
export type Parameters<P> = <K extends keyof P & string>(name: K) => P[K]

/**
 * Makes a function that executes one statement with the given parameters.
 * @param build is called once for each open database. The text of the statement must not depend on the values.
 */
export function compiled<P extends object, R = never>(
  build: (db: Db | Tx, parameter: Parameters<P>) => Compilable<R>,
): (db: Db | Tx, parameters: P) => Promise<QueryResult<R>> {
  const known = new WeakMap<object, CompiledQuery<R>>()
  return (db, parameters) => {
    const differences = differencesOf(db)
    let query = known.get(differences)
    if (!query) {
      query = build(db, (name) => new Parameter(name) as never).compile()
      known.set(differences, query)
    }
    const values = query.parameters.map((value) =>
      value instanceof Parameter ? differences.bind(parameters[value.name as keyof P]) : value,
    )
    return db.executeQuery<R>({ ...query, parameters: values })
  }
}

/** Makes a function that inserts one row with these columns. */
export function inserting<T extends keyof DB, C extends keyof DB[T] & string>(
  table: T,
  columns: readonly C[],
): (db: Db | Tx, row: { [K in C]: InsertType<DB[T][K]> }) => Promise<unknown> {
  return compiled((db, parameter) => {
    const values = Object.fromEntries(columns.map((column) => [column, parameter(column as never)]))
    return db.insertInto(table).values(values as never)
  })
}

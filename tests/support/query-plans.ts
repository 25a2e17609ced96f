// How a database would execute a statement: which tables it reads as a whole, and which indexes it uses.
import pg from 'pg'
import { openFile } from '../../db/sqlite-file.ts'
import { SEARCH_SETTINGS } from '../../vectors/postgres/search.ts'
import type { Place } from './rows.ts'

export interface RecordedStatement {
  text: string
  /** Executed on a connection with the settings of searches. */
  is_search: boolean
}

export interface Plan {
  statement: string
  /** Tables that are read as a whole. */
  scanned: string[]
  indexes: string[]
}

const SEARCHES = Object.entries(SEARCH_SETTINGS)
  .map(([name, value]) => `set local ${name} = '${value}'`)
  .join('; ')
const READS_OR_CHANGES = /^\s*(select|insert|update|delete|with)\b/i

/** The plans of those statements that read or change rows. */
export async function plansOf(place: Place, statements: readonly RecordedStatement[]): Promise<Plan[]> {
  const planned = statements.filter(({ text }) => READS_OR_CHANGES.test(text))
  return 'file' in place ? plansOnSqlite(place.file, planned) : plansOnPostgres(place.url, planned)
}

function plansOnSqlite(file: string, statements: RecordedStatement[]): Plan[] {
  const db = openFile(file, { readOnly: true })
  try {
    const tables = new Set(
      db
        .prepare(`select name from sqlite_schema where type = 'table'`)
        .all()
        .map(({ name }) => name as string),
    )
    return statements.map(({ text: statement }) => {
      const steps = db.prepare(`explain query plan ${statement}`).all() as { detail: string }[]
      const scanned: string[] = []
      const indexes: string[] = []
      for (const { detail } of steps) {
        const index = /USING (?:COVERING )?INDEX (\S+)/.exec(detail)?.[1]
        if (index !== undefined) indexes.push(index)
        const table = /^SCAN (\S+)/.exec(detail)?.[1]
        // A virtual table finds rows by itself. FTS5 says nothing when it reads all of them, sqlite-vec says 1.
        const how = / VIRTUAL TABLE INDEX \d+:(.*)$/.exec(detail)?.[1]
        if (table !== undefined && (how === undefined || how === '' || how === '1'))
          scanned.push(tableNamed(table, statement, tables))
      }
      return { statement, scanned: scanned.filter((name) => tables.has(name)), indexes }
    })
  } finally {
    db.close()
  }
}

/** SQLite names a table by its alias. */
function tableNamed(alias: string, statement: string, tables: ReadonlySet<string>): string {
  if (tables.has(alias)) return alias
  const named = new RegExp(`"?(\\w+)"? (?:as )?"?${alias}"?\\b`, 'i').exec(statement)?.[1]
  return named ?? alias
}

interface Node {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  'Recheck Cond'?: string
  'Order By'?: string
  Plans?: Node[]
}

async function plansOnPostgres(connectionString: string, statements: RecordedStatement[]): Promise<Plan[]> {
  const client = new pg.Client({ connectionString })
  try {
    await client.connect()
    // Planned for tables of a million rows. One without a page counts as empty whatever its statistics say, unless it has none:
    // then Postgres assumes a few hundred rows. Rolled back at the end.
    await client.query('begin')
    await client.query('set local enable_seqscan = off')
    await client.query(`select pg_restore_relation_stats('schemaname', 'public', 'relname', relname::text,
      'relpages', (pg_relation_size(pg_class.oid) > 0)::int,
      'reltuples', case when pg_relation_size(pg_class.oid) > 0 then 1000000 else -1 end::real) from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where nspname = 'public' and relkind = 'r'`)
    const plans: Plan[] = []
    for (const { text: statement, is_search } of statements.toSorted(
      (a, b) => Number(a.is_search) - Number(b.is_search),
    )) {
      if (is_search) await client.query(SEARCHES)
      const { rows } = await client.query(`explain (generic_plan, format json) ${statement}`)
      const plan: Plan = { statement, scanned: [], indexes: [] }
      collect((rows[0] as { 'QUERY PLAN': { Plan: Node }[] })['QUERY PLAN'][0]!.Plan, plan)
      plans.push(plan)
    }
    await client.query('rollback')
    return plans
  } finally {
    await client.end()
  }
}

function collect(node: Node, plan: Plan): void {
  const index = node['Index Name']
  if (index !== undefined) plan.indexes.push(index)
  const isWhole =
    node['Node Type'] === 'Seq Scan' ||
    (node['Node Type'].startsWith('Index') && node['Index Cond'] === undefined && node['Order By'] === undefined)
  if (isWhole && node['Relation Name'] !== undefined) plan.scanned.push(node['Relation Name'])
  for (const child of node.Plans ?? []) collect(child, plan)
}

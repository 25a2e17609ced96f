// A preload script: appends every statement that the process and its threads execute to a file, from the moment that the file exists.
import { appendFileSync, existsSync } from 'node:fs'
import { StatementSync } from 'node:sqlite'
import pg from 'pg'
import type { RecordedStatement } from './query-plans.ts'

const file = process.env['MUXI_TEST_STATEMENTS_FILE'] ?? ''
const recorded = new Set<string>()

function record(statement: RecordedStatement): void {
  const line = JSON.stringify(statement)
  if (recorded.has(line) || !existsSync(file)) return
  recorded.add(line)
  appendFileSync(file, `${line}\n`)
}

for (const name of ['all', 'get', 'iterate', 'run'] as const) {
  const execute = StatementSync.prototype[name] as (...parameters: unknown[]) => unknown
  StatementSync.prototype[name] = function (this: StatementSync, ...parameters: unknown[]) {
    record({ text: this.sourceSQL, is_search: false })
    return execute.apply(this, parameters)
  } as never
}

// oxlint-disable-next-line typescript/unbound-method -- called with its client
const send = pg.Client.prototype.query as (...given: unknown[]) => unknown
pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
  const [query] = given as [string | { text?: string }]
  const { application_name } = (this as unknown as { connectionParameters: { application_name?: string } })
    .connectionParameters
  const text = typeof query === 'string' ? query : (query.text ?? '')
  record({ text, is_search: application_name === 'muxi-search' })
  return send.apply(this, given)
} as never

// Operations of the OpenAPI document that no e2e test has called with success, from the record of all test processes.
import { existsSync, readFileSync } from 'node:fs'

/** @param file written by tests/support/api-check.ts */
export function uncalledOperations(file: string): string[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  const records = lines.map((line) => JSON.parse(line) as { operations?: string[]; called?: string })
  const called = new Set(records.map((record) => record.called))
  const operations = new Set(records.flatMap((record) => record.operations ?? []))
  return [...operations].filter((operation) => !called.has(operation)).toSorted()
}

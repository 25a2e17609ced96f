// Which operations no test has called, from the records of several processes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { uncalledOperations } from '../support/uncalled-operations.ts'

it('uncalledOperations() is the operations of all records that none has called, in order', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-unit-'))
  const file = join(folder, 'called.jsonl')
  const records = [
    { operations: ['GET /b', 'GET /a', 'POST /a'] },
    { called: 'POST /a' },
    { operations: ['GET /b', 'GET /a', 'POST /a'] },
  ]
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  expect(uncalledOperations(file)).toEqual(['GET /a', 'GET /b'])
  rmSync(folder, { recursive: true })
})

it('uncalledOperations() is empty when no process has recorded anything', () => {
  expect(uncalledOperations(join(tmpdir(), 'muxi-no-such-record'))).toEqual([])
})

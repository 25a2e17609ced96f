// Every promise of tests/e2e/requirements.ts is kept by at least one test.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { REQUIREMENTS } from '../e2e/requirements.ts'

it('every requirement is cited by an e2e test', () => {
  const files = ['../e2e/', '../client/'].flatMap((name) => {
    const folder = new URL(name, import.meta.url)
    return readdirSync(folder).flatMap((file) => (file.endsWith('.test.ts') ? [new URL(file, folder)] : []))
  })
  const cited = files.flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    return [...text.matchAll(/\bkeeps\(\s*'([^']+)'/g)].map(([, id]) => id)
  })
  expect(Object.keys(REQUIREMENTS).filter((id) => !cited.includes(id))).toEqual([])
})

// Every promise of tests/e2e/requirements.ts is kept by at least one test.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { REQUIREMENTS } from '../e2e/requirements.ts'

it('every requirement is cited by an e2e test', () => {
  const folder = new URL('../e2e/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'))
  const cited = files.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8')
    return [...text.matchAll(/\bkeeps\(\s*'([^']+)'/g)].map(([, id]) => id)
  })
  expect(Object.keys(REQUIREMENTS).filter((id) => !cited.includes(id))).toEqual([])
})

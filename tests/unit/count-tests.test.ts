import { expect, it } from 'vitest'
import type { TestModule } from 'vitest/node'
import { countTests } from '../support/count-tests.ts'

type State = 'passed' | 'failed' | 'skipped' | 'pending'

function file({ tests = [], errors = 0, suiteErrors = 0 }: { tests?: State[]; errors?: number; suiteErrors?: number }) {
  return {
    errors: () => Array.from({ length: errors }),
    children: {
      allSuites: () => [{ errors: () => Array.from({ length: suiteErrors }) }],
      allTests: () => tests.map((state) => ({ result: () => ({ state }) })),
    },
  } as unknown as TestModule
}

it('counts each test by how it ended', () => {
  expect(countTests([file({ tests: ['passed', 'passed', 'failed', 'skipped'] })], 0)).toEqual({
    passed: 2,
    failed: 1,
    skipped: 1,
  })
})

it('counts as failed: a file that cannot be loaded, a set-up that threw, a stray error, a test that never ran', () => {
  expect(countTests([file({ errors: 1 })], 0).failed).toBe(1)
  expect(countTests([file({ tests: ['passed'], suiteErrors: 1 })], 0).failed).toBe(1)
  expect(countTests([file({ tests: ['passed'] })], 2).failed).toBe(2)
  expect(countTests([file({ tests: ['pending'] })], 0).failed).toBe(1)
})

// Generated requests, many for each operation; a few in tests/e2e.
import { expect, it } from 'vitest'
import { fuzzRequests } from '../support/schemathesis.ts'

const SEED = 11
const EXAMPLES = 100
const PHASES = ['examples', 'coverage', 'fuzzing', 'stateful'] as const
const RUN_MS = 3_600_000

it(
  `${EXAMPLES} generated requests an operation get what is documented, seed ${SEED}`,
  async () => {
    const plan = { examples: EXAMPLES, phases: PHASES, seed: SEED, max_ms: RUN_MS }
    const { code, report, operations, errors, made, unfinished, stage } = await fuzzRequests(plan)
    try {
      expect(code, report).toBe(0)
      expect(report).toContain(`Tested: ${operations}`)
      console.log(report.trim().split('\n').at(-1))
      expect(errors).toEqual([])
      // The key was good for all of it, and requests got as far as the rows.
      expect(made).toBeGreaterThan(5)
      await expect.poll(unfinished, { timeout: 60_000 }).toEqual([])
      await stage.check()
    } finally {
      await stage.close()
    }
  },
  RUN_MS + 60_000,
)

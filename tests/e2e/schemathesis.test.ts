// Generated requests, a few for each operation; many in tests/chaos.
import { expect, it } from 'vitest'
import { fuzzRequests } from '../support/schemathesis.ts'
import { keeps } from './requirements.ts'

const SEED = 11
const EXAMPLES = 10
const PHASES = ['examples', 'fuzzing', 'stateful'] as const
const RUN_MS = 300_000

const onDeno = process.env['MUXI_TEST_RUNTIME'] === 'deno'
if (onDeno) console.log('schemathesis.test.ts is skipped on Deno: it would send the same requests again for a minute')

it.skipIf(onDeno)(
  keeps('fuzz.requests', `${EXAMPLES} examples an operation, seed ${SEED}`),
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

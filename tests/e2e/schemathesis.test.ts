// Generated requests, a few for each operation; many in tests/chaos.
import { it } from 'vitest'
import { expectDocumented } from '../support/schemathesis.ts'
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
    await expectDocumented(plan)
  },
  RUN_MS + 60_000,
)

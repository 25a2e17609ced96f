// Generated requests, many for each operation; a few in tests/e2e.
import { it } from 'vitest'
import { expectDocumented } from '../support/schemathesis.ts'

const SEED = 11
const EXAMPLES = 100
const PHASES = ['examples', 'coverage', 'fuzzing', 'stateful'] as const
const RUN_MS = 3_600_000

it(
  `${EXAMPLES} generated requests an operation get what is documented, seed ${SEED}`,
  async () => {
    const plan = { examples: EXAMPLES, phases: PHASES, seed: SEED, max_ms: RUN_MS }
    await expectDocumented(plan)
  },
  RUN_MS + 60_000,
)

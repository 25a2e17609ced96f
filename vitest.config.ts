// Three sizes of tests: without I/O, with the real thing named in the set-up, and with all processes, on Node and on Deno.
import { defineConfig } from 'vitest/config'

/** What is waited for comes sooner on a machine with nothing else to do. */
const patient = { expect: { poll: { timeout: 20_000 } } }
/** Processes on two cores, and what they take is measured: one file at a time. */
const withProcesses = { ...patient, testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false }

export default defineConfig({
  test: {
    retry: 0,
    projects: [
      { test: { name: 'unit', include: ['tests/unit/**/*.test.ts'] } },
      {
        test: {
          ...patient,
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      { test: { ...withProcesses, name: 'e2e', include: ['tests/e2e/**/*.test.ts'] } },
      {
        test: {
          ...withProcesses,
          name: 'deno',
          include: ['tests/e2e/**/*.test.ts', 'tests/integration/{supervisor,data-lock,migrate}.test.ts'],
          // Every process that a test starts; the tests themselves run on Node.
          env: { MUXI_TEST_RUNTIME: 'deno' },
        },
      },
      { test: { ...withProcesses, name: 'long', include: ['tests/chaos/**/*.test.ts'], testTimeout: 1_800_000 } },
    ],
  },
})

// Three sizes of tests: without I/O, with real dependencies, and with all processes, on Node and on Deno.
import { defineConfig } from 'vitest/config'

/** Test files mostly wait for their processes: three at a time keep two cores busy. */
const MAX_WORKERS = 3
/** Generous timeouts for busy machines. */
const patient = { expect: { poll: { timeout: 20_000 }, requireAssertions: true } }
/** What no runtime can do differently, such as queries and the order of turns: on Deno in `npm run test:long` only. */
const SAME_ON_DENO = [
  'agent-calls',
  'agents',
  'api-docs',
  'api-killed',
  'approvals',
  'archives',
  'attacks-host',
  'attacks-injection',
  'attacks-keys',
  'audit',
  'budgets',
  'client-docs',
  'client-examples',
  'cancel',
  'contract',
  'conversation',
  'events',
  'example-agents',
  'faults',
  'files',
  'foreign-ids',
  'formats',
  'handoffs',
  'head-start',
  'knowledge',
  'long-term-memory',
  'mcp-endpoint',
  'mcp-idle',
  'mcp-product',
  'mcp-servers',
  'mcp-sign-in',
  'memory',
  'model-failures',
  'openai',
  'openai-docs',
  'query-plans',
  'rate-limits',
  'reembed',
  'replaces',
  'routing',
  'scans',
  'search',
  'secrets',
  'summaries',
  'system',
  'temporal-ui',
  'threads',
  'turn-history',
  'turn-queue',
  'use-chat',
  'web-page',
  'worker-killed',
].map((name) => `tests/e2e/${name}.test.ts`)
const withProcesses = { ...patient, testTimeout: 240_000, hookTimeout: 240_000, maxWorkers: MAX_WORKERS }

export default defineConfig({
  test: {
    retry: 0,
    // A test without executed assertions fails.
    expect: { requireAssertions: true },
    projects: [
      {
        test: {
          ...patient,
          name: 'unit',
          include: ['tests/unit/**/*.test.ts'],
          testTimeout: 60_000,
          maxWorkers: MAX_WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...patient,
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: MAX_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...withProcesses,
          name: 'e2e',
          include: ['tests/{e2e,client}/**/*.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...withProcesses,
          name: 'deno',
          include: [
            'tests/e2e/**/*.test.ts',
            'tests/client/embedded.test.ts',
            'tests/integration/{supervisor,data-lock,migrate,slow-clients}.test.ts',
          ],
          exclude: SAME_ON_DENO,
          // Every process that a test starts; the tests themselves run on Node.
          env: { MUXI_TEST_RUNTIME: 'deno' },
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...withProcesses,
          name: 'deno-rest',
          include: SAME_ON_DENO,
          env: { MUXI_TEST_RUNTIME: 'deno', MUXI_TEST_LONG: 'yes' },
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...withProcesses,
          name: 'long',
          include: ['tests/chaos/**/*.test.ts'],
          env: { MUXI_TEST_LONG: 'yes' },
          testTimeout: 1_800_000,
          // They measure resources, and inject faults by time.
          fileParallelism: false,
        },
      },
    ],
  },
})

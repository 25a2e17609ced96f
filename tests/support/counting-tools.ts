// Tools whose effect can be counted from outside: each run appends its label to the file that MUXI_TEST_COUNT_FILE names.
// One that is held waits afterwards until there is a file of that name with `.released` behind it.
import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ToolError, type Tool } from '../../activities/tools/tool.ts'

const parameters = {
  type: 'object',
  properties: {
    label: { type: 'string' },
    ms: { type: 'integer', minimum: 0 },
    held: { type: 'boolean' },
    fail: { type: 'boolean' },
  },
  required: ['label'],
  additionalProperties: false,
}

async function run(given: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
  const { label, ms = 0, held, fail } = given as { label: string; ms?: number; held?: boolean; fail?: boolean }
  const file = process.env['MUXI_TEST_COUNT_FILE'] ?? ''
  appendFileSync(file, `${label}\n`)
  await sleep(ms, undefined, { signal })
  while (held && !existsSync(`${file}.released`)) await sleep(20, undefined, { signal })
  if (fail) throw new ToolError(`Cannot count '${label}': it was told to fail`)
  return { counted: label }
}

/** Must not be run twice: a crash leaves its outcome unknown. */
export const count: Tool = {
  name: 'count',
  server: 'test',
  description: 'Counts something, once.',
  parameters,
  idempotent: false,
  run,
}

/** May be run again after a crash. */
export const countAgain: Tool = {
  ...count,
  name: 'count_again',
  description: 'Counts something, at least once.',
  idempotent: true,
}

// Runs the tests: `tests/run.ts [project…] [-- file filters]`, by default all but `long`. The last line counts them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { startVitest } from 'vitest/node'
import { runtimeCommand } from '../cli/runtime-command.ts'
import { getServerBinaryOrThrow } from '../temporal-config/server-binary.ts'
import { countTests } from './support/count-tests.ts'
import { slowestFiles } from './support/slowest-files.ts'
import { uncalledOperations } from './support/uncalled-operations.ts'

/** Number of slowest files that are listed at the end. */
const SLOWEST = 25

const [projects, filters] = split(process.argv.slice(2))
const record = join(mkdtempSync(join(tmpdir(), 'muxi-operations-')), 'called.jsonl')
process.env['MUXI_TEST_OPERATIONS'] = record

await getServerBinaryOrThrow({
  dataDir: resolve('data'),
  env: process.env,
  say: (line) => console.log(`muxi: ${line}`),
  scriptCommand: runtimeCommand,
})
const vitest = await startVitest('test', filters, {
  run: true,
  watch: false,
  project: projects.length > 0 ? projects : ['unit', 'integration', 'e2e', 'deno'],
})
const modules = vitest.state.getTestModules()
const { passed, failed, skipped } = countTests(modules, vitest.state.getUnhandledErrors().length)
const slowest = modules.length > 1 ? slowestFiles(modules, SLOWEST) : []
await vitest.close()
// Only a run of all e2e tests can tell.
const isWhole = filters.length === 0 && (projects.length === 0 || projects.includes('e2e'))
const uncalled = isWhole ? uncalledOperations(record) : []
rmSync(dirname(record), { recursive: true })
if (uncalled.length > 0) console.log(`No e2e test calls with success:\n${uncalled.join('\n')}`)
if (slowest.length > 0) console.log(`The slowest files:\n${slowest.join('\n')}`)
console.log(`${passed} passed, ${failed + uncalled.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
// A run without tests is a fault in the set-up, not a success.
process.exit(failed > 0 || uncalled.length > 0 || passed === 0 ? 1 : 0)

function split(args: string[]): [string[], string[]] {
  const at = args.indexOf('--')
  return at < 0 ? [args, []] : [args.slice(0, at), args.slice(at + 1)]
}

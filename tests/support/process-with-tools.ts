// A script: `cli/process.ts` with tools whose effects a test can count. Argument: the role.
import { BUILT_IN_TOOLS } from '../../activities/tools/tools.ts'
import { runProcess } from '../../cli/process.ts'
import type { Role } from '../../config/settings.ts'
import { count, countAgain } from './counting-tools.ts'
import { watchLoop } from './loop-watch.ts'

const loopFile = process.env['MUXI_TEST_LOOP_FILE']
if (loopFile !== undefined) watchLoop(loopFile)
// Simulates a defect.
process.on('SIGUSR2', () => void Promise.reject(new Error('left alone by a test')))

await runProcess({
  env: process.env,
  role: (process.argv[2] ?? 'all') as Role,
  tools: [...BUILT_IN_TOOLS, count, countAgain],
}).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(1)
  },
)

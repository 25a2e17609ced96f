// The program that bundles the workflow code into the file that it is given. A process of its own: the bundler and the compiler leave
// 70 MiB behind in the process that ran them, and a heap that is collected less often from then on.
import { renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker'

const [file = ''] = process.argv.slice(2)
const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  logger: new DefaultLogger('WARN'),
})
// Other processes see either no file or the whole of it.
const partial = `${file}.${process.pid}`
writeFileSync(partial, code)
renameSync(partial, file)
process.exit(0)

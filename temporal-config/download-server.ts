// A script: has the SDK download the Temporal server into the folder given, and prints the path of the file.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { TEMPORAL_VERSION } from './server-binary.ts'

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('Cannot download the Temporal server: a folder must be given')

// The SDK offers its download only together with starting what it got; that start also proves that the file runs here.
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: folder, version: `v${TEMPORAL_VERSION}` } },
})
await environment.teardown()
const file = (await readdir(folder)).find((name) => name.startsWith('temporal'))
if (!file) throw new Error(`Cannot find what was downloaded to ${folder}`)
console.log(join(folder, file))

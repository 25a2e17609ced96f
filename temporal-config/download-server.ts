// A script: has the SDK download the Temporal server into the folder given, and prints the path of the file.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Runtime } from '@temporalio/worker'
import { TEMPORAL_VERSION } from './server-binary.ts'

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('Cannot download the Temporal server: a folder must be given')

// The SDK only downloads when it starts a server; that start also proves that the binary runs here.
// As in `TestWorkflowEnvironment.createLocal` of @temporalio/testing, which has more dependencies.
const server = await Runtime.instance().createEphemeralServer({
  type: 'dev-server',
  exe: {
    type: 'cached-download',
    downloadDir: folder,
    version: `v${TEMPORAL_VERSION}`,
    ttl: 24 * 60 * 60 * 1000,
    sdkName: 'sdk-typescript',
    sdkVersion: '1.24.0',
  },
  ip: '127.0.0.1',
  port: null,
  ui: false,
  uiPort: null,
  namespace: 'default',
  dbFilename: null,
  log: { format: 'pretty', level: 'warn' },
  extraArgs: [],
})
await Runtime.instance().shutdownEphemeralServer(server)
const file = (await readdir(folder)).find((name) => name.startsWith('temporal'))
if (!file) throw new Error(`Cannot find what was downloaded to ${folder}`)
console.log(join(folder, file))
process.exit(0)

// A script: the supervisor over `fake-app.ts`, so that its tests need no worker and no API.
import { fileURLToPath } from 'node:url'
import { loadSettings } from '../../config/settings.ts'
import { supervise } from '../../cli/supervisor.ts'

const appScript = fileURLToPath(new URL('fake-app.ts', import.meta.url))
try {
  await supervise({ settings: loadSettings(process.env), env: process.env, appScript })
  process.exit(0)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}

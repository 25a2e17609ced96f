#!/usr/bin/env node
// The command `muxi`: serve (what MUXI_ROLE says), api, worker, key.
import { loadSettings, type Settings } from '../config/settings.ts'
import { supervise } from './supervisor.ts'

const COMMANDS: Record<string, () => Promise<void>> = {
  serve: () => supervise({ settings: loadSettings(process.env), env: process.env }),
  api: () => supervise({ settings: loadSettings({ ...process.env, MUXI_ROLE: 'api' }), env: process.env }),
  worker: () => supervise({ settings: loadSettings({ ...process.env, MUXI_ROLE: 'worker' }), env: process.env }),
  key: () => key(loadSettings(process.env)),
}

async function key(settings: Settings): Promise<void> {
  const { createKey } = await import('./key.ts')
  console.log(await createKey(settings))
}

const [name = 'serve', ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
try {
  if (!command || rest.length > 0) {
    const words = Object.keys(COMMANDS).join(', ')
    throw new Error(`Cannot run '${[name, ...rest].join(' ')}': the command must be one of ${words}`)
  }
  await command()
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

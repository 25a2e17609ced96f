#!/usr/bin/env node
// The command `muxi`: serve (what MUXI_ROLE says), api, worker, key, mcp.
import { loadSettings, type Settings } from '../config/settings.ts'

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = {
  serve: () => serve({}),
  api: () => serve({ MUXI_ROLE: 'api' }),
  worker: () => serve({ MUXI_ROLE: 'worker' }),
  key: () => key(loadSettings(process.env)),
  mcp: async (args) => (await import('./mcp.ts')).serveMcp(args),
}
/** Those that read what follows them. */
const WITH_ARGUMENTS = new Set(['mcp'])

async function serve(role: { MUXI_ROLE?: string }): Promise<void> {
  const settings = loadSettings({ ...process.env, ...role })
  const { supervise } = await import('./supervisor.ts')
  await supervise({ settings, env: process.env })
}

async function key(settings: Settings): Promise<void> {
  const { createKey } = await import('./key.ts')
  console.log(await createKey(settings))
}

const [name = 'serve', ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
try {
  if (!command || (rest.length > 0 && !WITH_ARGUMENTS.has(name))) {
    const words = Object.keys(COMMANDS).join(', ')
    throw new Error(`Cannot run '${[name, ...rest].join(' ')}': the command must be one of ${words}`)
  }
  await command(rest)
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

// The environment: process variables take precedence over a `.env` file.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { SettingsError } from './settings-error.ts'

export type Environment = Record<string, string | undefined>

/**
 * The variables of `env`, then those of `.env` in `cwd`, trimmed. An empty variable counts as not set,
 * and overrides the file: `OPENAI_API_KEY= npm start` runs without a key.
 * Nothing is written back to `process.env`, so that no child process inherits the file.
 */
export function readEnvironment(env: Environment, cwd: string = process.cwd()): Environment {
  const merged = { ...readDotEnv(join(cwd, '.env')), ...withoutUndefined(env) }
  return Object.fromEntries(Object.entries(merged).map(([name, value]) => [name, value?.trim() || undefined]))
}

function readDotEnv(file: string): Environment {
  try {
    return { ...parseEnv(readFileSync(file, 'utf8').replace(/^\uFEFF/, '')) }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    // A folder of that name is a Python virtual environment.
    if (code === 'ENOENT' || code === 'EISDIR') return {}
    throw new SettingsError([`Cannot start: '${file}' must be a readable file, got ${code}`], { cause })
  }
}

function withoutUndefined(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
}

// What the API and the workers of a process are composed from, and share.
import { readFileSync } from 'node:fs'
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { urlOf } from '../api/server.ts'
import type { TurnResources } from '../activities/turn/turn-resources.ts'
import type { Environment } from '../config/environment.ts'
import type { Settings } from '../config/settings.ts'
import type { Storage } from '../db/storage.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import type { HiddenVectors } from '../vectors/hidden-vectors.ts'
import type { SearchIndex } from '../vectors/search-index.ts'
import type { UrlGuard } from '../net/url-guard.ts'

export interface Composition {
  settings: Settings
  /** What the settings were read from. */
  env: Environment
  storage: Storage
  log: Logger
  client: Client
  /** Aborts when the process is to drain. */
  stopping: AbortSignal
  models: ModelRegistry
  index: SearchIndex
  hidden: HiddenVectors
  turns: TurnResources
  guard: UrlGuard
}

/** The version in package.json. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Public URL of the API, without a trailing slash. */
export function publicUrl({ public_url, host, port, edge: { tls } }: Settings): string {
  return (public_url ?? urlOf({ host, port, tls })).replace(/\/$/, '')
}

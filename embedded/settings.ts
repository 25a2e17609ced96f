// The settings of an embedded muxi: those of the environment, with the options in front.
import { type Environment, readEnvironment } from '../config/environment.ts'
import { loadSettings, type Settings } from '../config/settings.ts'
import type { EmbeddedOptions, ServeOptions } from './options.ts'

export interface EmbeddedSettings {
  settings: Settings
  /** What they were read from, besides `.env`. */
  env: Environment
}

/** @throws SettingsError */
export function embeddedSettings({ dataDir, agentsDir, env: given }: EmbeddedOptions): EmbeddedSettings {
  const env: Environment = {
    ...process.env,
    ...given,
    ...(dataDir !== undefined && { MUXI_DATA_DIR: dataDir }),
    ...(agentsDir !== undefined && { MUXI_AGENTS_DIR: agentsDir }),
    MUXI_ROLE: 'all',
  }
  // A library says nothing while all is well.
  env['MUXI_LOG_LEVEL'] = readEnvironment(env)['MUXI_LOG_LEVEL'] ?? 'warn'
  return { settings: loadSettings(env), env }
}

/** The same for the HTTP server. @throws SettingsError */
export function serverSettings(env: Environment, { port, host, apiKey, api_key = apiKey }: ServeOptions): Settings {
  return loadSettings({
    ...env,
    ...(port !== undefined && port !== 0 && { MUXI_PORT: String(port) }),
    ...(host !== undefined && { MUXI_HOST: host }),
    ...(api_key !== undefined && { MUXI_API_KEY: String(api_key) }),
  })
}

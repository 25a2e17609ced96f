// Configuration from the environment, checked once at the start.

/** Environment variables with the credentials of other services. */
export const CREDENTIALS: readonly string[] = [
  // <credentials>
  'SERVICE_TOKEN',
  // </credentials>
]

export interface Config {
  /** By the name of their variable. */
  credentials: Readonly<Record<string, string>>
}

/** @throws an error that names every missing variable */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const missing = CREDENTIALS.filter((name) => !env[name])
  if (missing.length > 0) throw new Error(`Cannot start: ${missing.map((name) => `'${name}'`).join(', ')} must be set`)
  return { credentials: Object.fromEntries(CREDENTIALS.map((name) => [name, env[name]!])) }
}

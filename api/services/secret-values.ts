// Secret values in API requests: literal, or with names of environment variables that the operator allows.
import { joinSecrets, separateServer } from '../../contracts/agent-secrets.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { withFallbacks } from '../../contracts/mcp-check.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { shorten } from '../../contracts/shorten.ts'
import { replaceVariables } from '../../contracts/variables.ts'
import type { ApiContext } from './context.ts'

type ApiEnv = ApiContext['apiEnv']

/** Replaces `${NAME}` in a secret field, for names that the operator allows. @param what completes "Cannot …" @throws MuxiError unprocessable */
export function resolveSecret(what: string, path: string, value: string, apiEnv: ApiEnv): string {
  return replaceVariables(value, apiEnv, (name) => {
    const escape = '(write $${ for the text ${ itself)'
    if (name === undefined) throw refused(what, path, `without \${, except in \${NAME} ${escape}`)
    throw refused(what, path, `without variables that are not set or not in MUXI_API_ENV ${escape}`, name)
  })
}

/** The server with the values of its credentials. @param at its path @throws MuxiError unprocessable */
export function resolveServer(
  what: string,
  server: McpServer,
  apiEnv: ApiEnv,
  at: readonly (string | number)[] = [],
): McpServer {
  const { config, secrets } = separateServer(server)
  const pathOf = (below: string) => [...at, below].join('.')
  const values = Object.entries(secrets).map(([path, value]) => [
    path,
    resolveSecret(what, pathOf(path), value, apiEnv),
  ])
  const credentials = Array.isArray(server.credentials) ? server.credentials : []
  for (const [index, { value, env_fallback }] of credentials.entries())
    if (value === undefined && env_fallback !== undefined && !Object.hasOwn(apiEnv, env_fallback))
      throw refused(what, pathOf(`credentials.${index}.env_fallback`), 'a variable of MUXI_API_ENV', env_fallback)
  const [resolved] = withFallbacks([joinSecrets(config, Object.fromEntries(values) as Record<string, string>)], apiEnv)
  return resolved!
}

function refused(what: string, path: string, expected: string, got?: string): MuxiError {
  const found = got === undefined ? '' : `, got '${shorten(got)}'`
  return new MuxiError('unprocessable', `Cannot ${what}: '${path}' must be ${expected}${found}`, {
    details: { fields: [{ path, expected }] },
  })
}

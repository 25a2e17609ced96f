// The target of an MCP connection: configuration combined with credentials.
import { GUARDED } from '../contracts/builtin-servers.ts'
import { builtinCommand } from './builtin-command.ts'
import { withoutNul } from '../contracts/nul.ts'
import type { McpServer } from '../contracts/schemas/mcp-server.ts'

export type McpTarget =
  | { command: string; args: string[]; env: Record<string, string>; secrets: string[] }
  | { url: string; transport: 'auto' | 'http' | 'sse'; headers: Record<string, string>; secrets: string[] }

/**
 * @param server without its credentials
 * @param secrets by path in it: `credentials.TOKEN`, `credentials.0.value`, `env.TOKEN`
 * @param guarded whether a built-in server may not reach private networks, regardless of its settings
 */
export function targetOf(
  server: McpServer,
  secrets: Readonly<Record<string, string>>,
  { guarded }: { guarded: boolean },
): McpTarget {
  const below = (prefix: string) =>
    Object.fromEntries(
      Object.entries(secrets)
        .filter(([path]) => path.startsWith(prefix))
        .map(([path, value]) => [path.slice(prefix.length), value]),
    )
  const env: Record<string, string> = below('env.')
  const headers: Record<string, string> = {}
  const query: Record<string, string> = {}
  const places = { env, header: headers, query }
  const usual = 'url' in server ? 'header' : 'env'
  if (Array.isArray(server.credentials)) {
    for (const [index, credential] of server.credentials.entries()) {
      const value = secrets[`credentials.${index}.value`]
      if (value !== undefined) places[credential.in ?? usual][credential.param_name] = value
    }
  } else {
    Object.assign(places[usual], below('credentials.'))
  }
  const values = Object.values(secrets)
  if ('builtin' in server) {
    const [command, args] = builtinCommand(server.builtin)
    return { command, args, env: guarded ? { ...env, [GUARDED]: 'yes' } : env, secrets: values }
  }
  if ('command' in server) {
    const [command = '', ...words] = server.args === undefined ? splitWords(server.command) : [server.command]
    return { command, args: [...words, ...(server.args ?? [])], env, secrets: values }
  }
  const url = new URL(server.url)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return { url: url.href, transport: server.transport ?? 'auto', headers, secrets: values }
}

/** Splits a command line like a shell: quotes group words, a backslash escapes the next character. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  for (const match of line.matchAll(/(?:[^\s"'\\]+|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs)) {
    words.push(
      match[0].replaceAll(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs,
        (_, plain?: string, double?: string, single?: string) =>
          plain ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? '',
      ),
    )
  }
  return words
}

/** Shorter values are not redacted: they may be ordinary words. */
const MIN_SECRET = 6

/** The text without secrets, and without NUL. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = withoutNul(text)
  for (const secret of secrets) {
    if (secret.length < MIN_SECRET) continue
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])) {
      clean = clean.replaceAll(form, '[secret]')
    }
  }
  return clean
}

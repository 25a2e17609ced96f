// The command line of an MCP server of ours, on the runtime that runs this one: the user's `node` may be older, or missing.
import { fileURLToPath } from 'node:url'
import type { BuiltinName } from '../contracts/builtin-servers.ts'

/** Program and arguments; the server may read files (its own sources) and start threads, and on Deno its network is its own. */
export function builtinCommand(name: BuiltinName): [string, string[]] {
  const script = fileURLToPath(new URL(`./servers/${name}.ts`, import.meta.url))
  if ('Deno' in globalThis) {
    const allowed = ['--allow-read', '--allow-env', '--allow-sys', ...(name === 'search' ? ['--allow-net'] : [])]
    return [process.execPath, ['run', '--no-prompt', '--node-modules-dir=manual', ...allowed, script]]
  }
  return [process.execPath, ['--permission', '--allow-fs-read=*', '--allow-worker', '--no-warnings', script]]
}

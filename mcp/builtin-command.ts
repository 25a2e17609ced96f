// The command line of a built-in MCP server, on the current runtime: the user's `node` may be older, or missing.
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuiltinName } from '../contracts/builtin-servers.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The folders with sources that these servers import. */
const SOURCES = ['contracts', 'mcp', 'media', 'net']

/**
 * Program and arguments. The server may read its sources and packages and start threads; it may not write files or start
 * programs.
 * On Deno only the web search has network access; Node 24 cannot restrict it.
 * @param onDeno set only in tests
 */
export function builtinCommand(name: BuiltinName, onDeno = 'Deno' in globalThis): [string, string[]] {
  const script = join(ROOT, 'mcp', 'servers', `${name}.ts`)
  const readable = [...SOURCES.map((folder) => join(ROOT, folder)), ...packageFolders()]
  if (onDeno) {
    // A comma in a path is escaped by doubling it.
    const read = readable.map((path) => path.replaceAll(',', ',,')).join(',')
    const allowed = [`--allow-read=${read}`, '--allow-env', ...(name === 'search' ? ['--allow-net'] : [])]
    return [process.execPath, ['run', '--no-prompt', '--node-modules-dir=manual', ...allowed, script]]
  }
  const read = readable.map((path) => `--allow-fs-read=${path}/`)
  return [process.execPath, ['--permission', ...read, '--allow-worker', '--no-warnings', script]]
}

/** Every `node_modules` folder of the module resolution; symbolic links are resolved, like in the runtime. */
function packageFolders(): string[] {
  const folders: string[] = []
  for (let folder = ROOT; ; folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(packages)) folders.push(packages, realpathSync(packages))
    if (dirname(folder) === folder) return [...new Set(folders)]
  }
}

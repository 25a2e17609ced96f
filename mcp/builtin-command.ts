// The command line of an MCP server of ours, on the runtime that runs this one: the user's `node` may be older, or missing.
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuiltinName } from '../contracts/builtin-servers.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The folders with sources that these servers import. */
const SOURCES = ['contracts', 'mcp', 'media', 'net']

/**
 * Program and arguments. The server may read its sources and packages and start threads; it writes nothing and starts no program.
 * On Deno only the web search has a network; Node 24 has no such limit.
 * @param onDeno only tests choose
 */
export function builtinCommand(name: BuiltinName, onDeno = 'Deno' in globalThis): [string, string[]] {
  const script = join(ROOT, 'mcp', 'servers', `${name}.ts`)
  const readable = [...SOURCES.map((folder) => join(ROOT, folder)), ...packageFolders()]
  if (onDeno) {
    // A comma within a path is written twice.
    const read = readable.map((path) => path.replaceAll(',', ',,')).join(',')
    const allowed = [`--allow-read=${read}`, '--allow-env', ...(name === 'search' ? ['--allow-net'] : [])]
    return [process.execPath, ['run', '--no-prompt', '--node-modules-dir=manual', ...allowed, script]]
  }
  const read = readable.map((path) => `--allow-fs-read=${path}/`)
  return [process.execPath, ['--permission', ...read, '--allow-worker', '--no-warnings', script]]
}

/** Every `node_modules` in which packages of ours are looked for; links are followed, as the runtime does. */
function packageFolders(): string[] {
  const folders: string[] = []
  for (let folder = ROOT; ; folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(packages)) folders.push(packages, realpathSync(packages))
    if (dirname(folder) === folder) return [...new Set(folders)]
  }
}

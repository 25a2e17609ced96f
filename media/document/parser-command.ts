// The command line of the parser program, on the current runtime, Node or Deno.
import { fileURLToPath } from 'node:url'

/** Program and arguments for `spawn`. */
export type ParserCommand = (memoryMb: number) => [string, string[]]

const SCRIPT = fileURLToPath(new URL('./parse-child.ts', import.meta.url))

/** A parser may read files and load its native library; all other permissions are denied if the runtime supports that. */
export const parserCommand: ParserCommand = (memoryMb) => {
  const args = [SCRIPT, String(process.pid), String(memoryMb)]
  if ('Deno' in globalThis) {
    // `--allow-run` is required for a process to kill itself. No network and no writing.
    const allowed = ['--allow-read', '--allow-ffi', '--allow-sys', '--allow-env', '--allow-run']
    // mammoth 1.13 sets `__proto__`, which Deno disables by default (November 2026).
    const flags = ['--no-prompt', '--node-modules-dir=manual', '--unstable-unsafe-proto']
    const memory = `--v8-flags=--max-old-space-size=${memoryMb}`
    return [process.execPath, ['run', ...flags, memory, ...allowed, ...args]]
  }
  const allowed = ['--permission', '--allow-fs-read=*', '--allow-addons', '--allow-worker', '--no-warnings']
  return [process.execPath, [`--max-old-space-size=${memoryMb}`, ...allowed, ...args]]
}

// What kinds of child programs there are is declared by their users; here: what a kind consists of, and its command line on
// the current runtime, Node or Deno.
import { fileURLToPath } from 'node:url'
import type { Command } from './limited-process.ts'

export interface ChildKind {
  /** The kind of input, for messages: `document`, `picture`. */
  what: string
  /** Whether it gets a folder of its own, the only one into which it may write. */
  writes: boolean
  /** Most children of the kind that are kept, busy ones included, the spare not; further ones end after their request. */
  most: number
  /**
   * What an unused child of the kind, without an owner, answers ahead of its first file, so that what usual files need is
   * loaded and compiled. Kinds without samples have no such child.
   */
  samples?: readonly object[]
  command: (memoryMb: number, folder: string) => Command
}

/**
 * A script of ours on the current runtime. It may read files, load native code and write into its folder; all other
 * permissions are denied.
 */
export function scriptCommand(script: URL, denoFlags: string[] = []): ChildKind['command'] {
  return (memoryMb, folder) => {
    const args = [fileURLToPath(script), String(process.pid), String(memoryMb), ...(folder ? [folder] : [])]
    const heap = `--max-old-space-size=${memoryMb}`
    if ('Deno' in globalThis) {
      // `--allow-run` is required for a process to kill itself. No network.
      const allowed = ['--allow-read', '--allow-ffi', '--allow-sys', '--allow-env', '--allow-run']
      if (folder) allowed.push(`--allow-write=${folder}`)
      const flags = ['--no-prompt', '--node-modules-dir=manual', ...denoFlags, `--v8-flags=${heap}`]
      return [process.execPath, ['run', ...flags, ...allowed, ...args]]
    }
    const allowed = ['--permission', '--allow-fs-read=*', '--allow-addons', '--allow-worker', '--no-warnings']
    if (folder) allowed.push(`--allow-fs-write=${folder}`)
    return [process.execPath, [heap, ...allowed, ...args]]
  }
}

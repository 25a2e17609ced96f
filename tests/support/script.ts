// Runs one of our scripts as a process of its own, and lets a test wait for what it says.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runtimeCommand } from '../../cli/runtime-command.ts'

export interface Script {
  child: ChildProcess
  pid: number
  /** Everything it wrote so far, both streams. */
  output: () => string
  /** Resolves when the output after `from` matches; rejects when it ends or `ms` passes before. */
  says: (pattern: RegExp, options?: { from?: number; ms?: number }) => Promise<RegExpMatchArray>
  /** Its exit code, or the name of the signal that ended it. */
  ended: Promise<number | string>
}

/** `script` is relative to the repository. */
export function runScript(script: string, env: Record<string, string>, args: string[] = []): Script {
  const file = fileURLToPath(new URL(`../../${script}`, import.meta.url))
  const [program, programArgs] = runtimeCommand(file, ...args)
  const child = spawn(program, programArgs, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const watch of watchers) watch()
    })
  }
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const says: Script['says'] = (pattern, { from = 0, ms = 30_000 } = {}) =>
    new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        watchers.delete(look)
        clearTimeout(timer)
        act()
      }
      const look = () => {
        const match = pattern.exec(output.slice(from))
        if (match) finish(() => resolve(match))
      }
      const fail = (why: string) =>
        finish(() => reject(new Error(`${script} ${why} without saying ${pattern}; it said:\n${output}`)))
      const timer = setTimeout(() => fail(`took ${ms} ms`), ms)
      watchers.add(look)
      void ended.then((how) => fail(`ended (${how})`))
      look()
    })
  return { child, pid: child.pid ?? 0, output: () => output, says, ended }
}

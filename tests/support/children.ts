// Processes that tests start: each in a process group of its own, all of them killed when the test process ends, however it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { INSTALLED_CACHE } from '../../workers/workflow-bundle.ts'
import { News } from './news.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export type Runtime = 'node' | 'deno'

const PROGRAMS: Record<Runtime, [string, ...string[]]> = {
  node: [`${ROOT}node_modules/node/bin/node`],
  deno: [`${ROOT}cli/deno/node_modules/deno/deno`, 'run', '-A', '--node-modules-dir=manual'],
}

export interface Child {
  child: ChildProcess
  pid: number
  stdout(): string
  stderr(): string
  /** All that it wrote, stdout first. */
  output(): string
  /** Resolves when what it wrote to stdout after `from` matches; rejects when it ends or `ms` passes before. */
  says(pattern: RegExp, options?: { from?: number; ms?: number }): Promise<RegExpMatchArray>
  /** Its exit code, or the name of the signal that ended it. */
  ended: Promise<number | string>
  /** Sends a signal to it and to everything in its group. */
  signal(name: NodeJS.Signals): void
  /** Kills it with -9 and resolves when it has exited. */
  kill(): Promise<void>
  /** Has it drain, as SIGTERM does. @returns its exit code */
  stop(): Promise<number | string>
}

/**
 * Has a process group killed when this process dies, however it dies: a shell waits for the end of a pipe that only we hold.
 * @returns a function to call once the group has ended
 */
export function killWithUs(pid: number): () => void {
  const reaper = spawn('sh', ['-c', 'read -r _; kill -9 "-$0" 2>/dev/null', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  reaper.stdin.on('error', () => {})
  reaper.unref()
  return () => void reaper.kill('SIGKILL')
}

/** The environment of a child: ours without what would configure muxi, Temporal, a model or the test runner. */
export function cleanEnvironment(): Record<string, string> {
  const foreign =
    /^(MUXI_|TEMPORAL_|OPENAI_|DEEPGRAM_|ANTHROPIC_|GEMINI_|XAI_|DATABASE_URL|POSTGRES_|BLOB_URL|VITEST|NODE_OPTIONS)/
  const entries = Object.entries(process.env).filter(([name, value]) => value !== undefined && !foreign.test(name))
  return Object.fromEntries(entries) as Record<string, string>
}

export interface ChildOptions {
  /** Relative to the repository. */
  script: string
  args?: string[]
  env?: Record<string, string>
  cwd: string
  /** Left out: what `MUXI_TEST_RUNTIME` says, or Node. */
  runtime?: Runtime | undefined
}

export function startChild({ script, args = [], env = {}, cwd, runtime }: ChildOptions): Child {
  const [program, ...flags] = PROGRAMS[runtime ?? (process.env['MUXI_TEST_RUNTIME'] === 'deno' ? 'deno' : 'node')]
  // Its standard input stays open: when this process dies, the pipe ends and the child drains.
  const child = spawn(program, [...flags, `${ROOT}${script}`, ...args], {
    env: { NODE_COMPILE_CACHE: INSTALLED_CACHE, ...cleanEnvironment(), ...env },
    cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const pid = child.pid ?? 0
  const letLive = killWithUs(pid)
  child.stdin.on('error', () => {})
  const written = { stdout: '', stderr: '' }
  const news = new News()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
      news.more()
    })
  }
  const ended = new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => {
      letLive()
      resolve(code ?? signal ?? 'unknown')
    })
  })
  void ended.then((how) => news.end(`${script} ended (${how})`))
  const output = () => `${written.stdout}${written.stderr}`
  const says: Child['says'] = (pattern, { from = 0, ms = 100_000 } = {}) =>
    news.first(
      () => pattern.exec(written.stdout.slice(from)),
      ms,
      () => `${script} having said ${pattern}; it wrote:\n${output()}`,
    )
  const signal = (name: NodeJS.Signals) => signalGroup(pid, name)
  return {
    child,
    pid,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    output,
    says,
    ended,
    signal,
    async kill() {
      signal('SIGKILL')
      await ended
    },
    async stop() {
      signal('SIGCONT')
      child.kill('SIGTERM')
      const patience = new AbortController()
      const late = sleep(30_000, 'late', { signal: patience.signal }).catch(() => '')
      if ((await Promise.race([ended, late])) === 'late') signal('SIGKILL')
      patience.abort()
      return ended
    },
  }
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch {
    // it has ended
  }
}

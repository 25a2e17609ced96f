// The supervisor's side of the app process (worker, API or both): `cli/process.ts` on the same runtime.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from './keep-running.ts'
import { runtimeCommand, withV8Flags } from './runtime-command.ts'
import { TEMPORAL_ON_STDIN, type TemporalPlace, temporalPlaceLine } from './temporal-place.ts'

/** The process drains for 20 s at most; after this it is killed. */
const DRAIN_MS = 22_000
const READY = 'ready '
const FAILED = 'failed '
/**
 * Of the heap of each thread: the young generation at most, in MiB a semi-space (V8 takes 32, and a burst leaves them in use), and
 * by how much the old one may grow before it is collected, in percent (V8 allows up to 300). docs/benchmarks.md, Memory.
 */
export const V8_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=100']
/** Of glibc: few heaps for many threads, and what is free at the end of one goes back. What the operator has set comes first. */
export const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' }

/** The process's message, once, when it serves; `key` only when it was just created. */
export interface Ready {
  url?: string
  key?: string
}

export interface AppProcess extends Running {
  pid: number | undefined
  /** Resolves when it serves; rejects with its error message when it exits before that. */
  ready: Promise<Ready>
  /** Makes it drain and exit. */
  stop(): Promise<void>
  kill(): void
}

export interface AppOptions {
  script: string
  role: string
  env: Record<string, string | undefined>
  /** Resolves when the server serves; the process loads meanwhile. Undefined when the settings name an external server. */
  temporal: Promise<TemporalPlace> | undefined
  /** Receives the lines of the process's standard output, except `ready` and `failed`. */
  output: (line: string) => void
}

/**
 * Starts it. Its standard input is a pipe that stays open: when this process dies, the pipe closes, and the child
 * drains and exits.
 */
export function startApp({ script, role, env, temporal, output }: AppOptions): AppProcess {
  const command = runtimeCommand(script, role, ...(temporal ? [TEMPORAL_ON_STDIN] : []))
  const [program, args] = withV8Flags(command, V8_FLAGS)
  // A process group of its own: Ctrl-C must reach the supervisor alone.
  const child = spawn(program, args, { env: { ...MALLOC, ...env }, stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  child.stdin.on('error', () => {}) // it closed its end; its exit tells the rest
  temporal?.then(
    (place) => child.stdin.write(temporalPlaceLine(place)),
    () => {}, // the caller handles it, and stops this process
  )
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  const ready = new Promise<Ready>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith(READY)) resolve(JSON.parse(line.slice(READY.length)) as Ready)
      else if (line.startsWith(FAILED)) reject(startFailure(JSON.parse(line.slice(FAILED.length)) as string))
      else output(line)
    })
    void ended.then((how) => reject(startFailure(`it ended before it was ready (${how})`)))
  })
  ready.catch(() => {}) // callers may ignore it; `ended` reports the exit too
  return {
    pid: child.pid,
    ended,
    ready,
    kill: () => void child.kill('SIGKILL'),
    async stop() {
      const patience = new AbortController()
      child.kill('SIGTERM')
      const late = sleep(DRAIN_MS, 'late', { signal: patience.signal }).catch(() => '')
      if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL')
      patience.abort()
      await ended
    },
  }
}

/** Only the wording depends on the text: messages of muxi's own errors are sentences, those of libraries need a beginning. */
function startFailure(message: string): Error {
  return new Error(message.startsWith('Cannot ') ? message : `Cannot start muxi: ${message}`)
}

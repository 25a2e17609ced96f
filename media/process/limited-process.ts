// A third-party program that reads untrusted input: without network where the system supports it, limited in time, memory
// and output, and killed with all its processes.
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { MediaFailure } from '../failure.ts'
import { lowerPriority } from './priority.ts'
import { residentMb } from './resident-memory.ts'

export interface ProcessLimits {
  /** Resident memory. */
  memory_mb: number
  /** Time limit of one request, in milliseconds. */
  time_ms: number
  /** Limits of its output, and of its files. */
  output_bytes: number
}

export interface LimitedOptions {
  signal: AbortSignal
  limits: ProcessLimits
  /** The kind of input, for messages: `image`, `recording`. */
  what: string
}

/** Interval of memory checks of a busy program, in milliseconds. */
const MEMORY_WATCH_MS = 100
/** Characters of its stderr in an internal error. */
const STDERR_SHOWN = 2_000
/** Characters of its stderr that are kept where its stdout is the answer. */
const STDERR_KEPT = 4_096
/** Inherited environment variables: no secrets. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'DENO_DIR', 'SystemRoot']

/** The program exited with an error. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed'
  readonly stderr: string

  constructor(program: string, end: string, stderr: string) {
    super(`${program} ended with ${end}: ${stderr.slice(-STDERR_SHOWN)}`)
    this.stderr = stderr
  }
}

export interface Handlers {
  /** For a program that answers on stdout, line by line: of its stderr only the end is kept. */
  onLine?: (line: string) => void
}

export class LimitedProcess {
  /** Its stderr, or the end of it. */
  stderr = ''
  /** Resolves when it and its output have ended. */
  readonly exited: Promise<void>
  readonly #child: ChildProcessWithoutNullStreams
  readonly #program: string
  readonly #decoder = new StringDecoder('utf8')
  #partLine = ''
  #said = 0
  #limit = Infinity
  #what = 'file'
  #ended: unknown

  constructor([program, args]: Command, { onLine }: Handlers = {}) {
    this.#program = program
    const env = Object.fromEntries(
      ENVIRONMENT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    )
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true, windowsHide: true })
    lowerPriority(this.#child.pid)
    this.#child.stdin.on('error', () => {})
    this.#child.stdout.on('data', (bytes: Buffer) => {
      this.#count(bytes.length)
      const [first = '', ...rest] = this.#decoder.write(bytes).split('\n')
      this.#partLine += first
      for (const next of rest) {
        onLine?.(this.#partLine)
        this.#partLine = next
      }
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (!onLine) this.#count(text.length)
      this.stderr = onLine ? (this.stderr + text).slice(-STDERR_KEPT) : this.stderr + text
    })
    this.exited = new Promise((resolve) => {
      this.#child.on('error', (cause) => {
        this.#ended ??= new Error(`Cannot start ${program}`, { cause })
        resolve()
      })
      this.#child.on('close', (code, signal) => {
        // A SIGKILL from elsewhere is the kernel's, when memory ran out.
        if (signal === 'SIGKILL')
          this.#ended ??= new MediaFailure('too_much_memory', `Reading the ${this.#what} took too much memory`)
        else if (code !== 0) this.#ended ??= new ProgramFailed(program, signal ?? `code ${code}`, this.stderr)
        else this.#ended ??= ENDED
        resolve()
      })
    })
  }

  get alive(): boolean {
    return this.#ended === undefined
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  endInput(): void {
    this.#child.stdin.end()
  }

  /** Enforces the limits until the returned function is called. */
  watch({ signal, limits, what }: LimitedOptions): () => void {
    const { memory_mb, time_ms, output_bytes } = limits
    this.#what = what
    this.#said = 0
    this.#limit = output_bytes
    const late = new MediaFailure('too_slow', `Reading the ${what} took longer than ${time_ms / 1_000} seconds`)
    const abort = () => void this.kill(signal.reason)
    const timer = setTimeout(() => void this.kill(late), time_ms)
    const memory = setInterval(() => void this.#checkMemory(memory_mb), MEMORY_WATCH_MS)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    return () => {
      clearTimeout(timer)
      clearInterval(memory)
      signal.removeEventListener('abort', abort)
    }
  }

  /** Resolves when it has succeeded. @throws MediaFailure, ProgramFailed, or the reason for which it was killed */
  async result(): Promise<void> {
    await this.exited
    if (this.#ended !== ENDED) throw this.#ended
  }

  /** Kills its whole process group; resolves when it has exited. */
  async kill(reason: unknown = new Error(`${this.#program} is no longer needed`)): Promise<void> {
    this.#ended ??= reason
    this.hold(true)
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // it has exited, or the platform has no process groups
      this.#child.kill('SIGKILL')
    }
    await this.exited
  }

  /** While idle it must not keep the parent process alive. */
  hold(busy: boolean): void {
    // Deno 2.9 throws when the program could not be started.
    if (this.#child.pid === undefined) return
    const handles: unknown[] = [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]
    for (const handle of handles as { ref?(): void; unref?(): void }[]) {
      if (busy) handle.ref?.()
      else handle.unref?.()
    }
  }

  #count(bytes: number): void {
    this.#said += bytes
    if (this.#said > this.#limit)
      void this.kill(
        new MediaFailure('too_much_output', `Reading the ${this.#what} gave more than ${this.#limit} bytes`),
      )
  }

  async #checkMemory(memoryMb: number): Promise<void> {
    const used = this.#child.pid === undefined ? undefined : await residentMb(this.#child.pid)
    if (used !== undefined && used > memoryMb)
      await this.kill(
        new MediaFailure('too_much_memory', `Reading the ${this.#what} took more than ${memoryMb} MB of memory`),
      )
  }
}

const ENDED = Symbol('ended')

/** Program and arguments for `spawn`. */
export type Command = [string, string[]]

/** Runs a program to its end. @returns its stderr */
export async function runLimited(command: Command, options: LimitedOptions & { input?: string }): Promise<string> {
  options.signal.throwIfAborted()
  const child = new LimitedProcess(await confined(command))
  const stop = child.watch(options)
  if (options.input !== undefined) child.write(options.input)
  child.endInput()
  try {
    await child.result()
    return child.stderr
  } finally {
    stop()
  }
}

/** On Linux: an empty network namespace, and termination with its parent. Unsupported options are skipped. */
const CONFINEMENTS = [
  ['unshare', '-rn', '--', 'setpriv', '--pdeathsig', 'KILL', '--'],
  ['setpriv', '--pdeathsig', 'KILL', '--'],
]
let confinement: Promise<string[]> | undefined

/** The command with the strongest confinement that the system supports. */
export async function confined([program, args]: Command): Promise<Command> {
  confinement ??= findConfinement()
  const [first, ...rest] = [...(await confinement), program, ...args]
  return [first!, rest]
}

async function findConfinement(): Promise<string[]> {
  for (const words of CONFINEMENTS) {
    const [program, ...args] = words
    if (await succeeds(program!, [...args, 'true'])) return words
  }
  return []
}

/** Whether a program can be started and succeeds within seconds. */
export function succeeds(program: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 5_000 }, (error) => resolve(error === null))
  })
}

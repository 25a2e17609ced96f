// A program of somebody else's that reads hostile input: without network where the system can deny it, watched for time, memory
// and output, and killed with everything it started.
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { MediaFailure } from './failure.ts'
import { lowerPriority } from './priority.ts'
import { residentMb } from './resident-memory.ts'

export interface ProcessLimits {
  /** Resident memory. */
  memory_mb: number
  /** Longest time of one piece of work, in milliseconds. */
  time_ms: number
  /** Most that it may say, and most that it may leave behind. */
  output_bytes: number
}

export interface LimitedOptions {
  signal: AbortSignal
  limits: ProcessLimits
  /** What is being read, for the words of a failure: `image`, `recording`. */
  what: string
}

/** How often the memory of a working program is looked at, in milliseconds. */
const MEMORY_WATCH_MS = 100
/** What is kept of its stderr for a failure of ours, in characters. */
const STDERR_SHOWN = 2_000
/** What a program is told of our environment: nothing that is secret. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'DENO_DIR', 'SystemRoot']

/** The program ended by itself, and not well. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed'
  readonly stderr: string

  constructor(program: string, end: string, stderr: string) {
    super(`${program} ended with ${end}: ${stderr.slice(-STDERR_SHOWN)}`)
    this.stderr = stderr
  }
}

export interface Handlers {
  onLine?: (line: string) => void
}

export class LimitedProcess {
  /** All that it has said on stderr, within the limit of its output. */
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

  constructor([program, args]: Command, { onLine = () => {} }: Handlers = {}) {
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
        onLine(this.#partLine)
        this.#partLine = next
      }
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#count(text.length)
      this.stderr += text
    })
    this.exited = new Promise((resolve) => {
      this.#child.on('error', (cause) => {
        this.#ended ??= new Error(`Cannot start ${program}`, { cause })
        resolve()
      })
      this.#child.on('close', (code, signal) => {
        // A SIGKILL that is not ours is the kernel's, when memory ran out.
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

  /** Holds it to the limits until the returned function is called. */
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

  /** Resolves when it has ended well. @throws MediaFailure, ProgramFailed, or what it was killed for */
  async result(): Promise<void> {
    await this.exited
    if (this.#ended !== ENDED) throw this.#ended
  }

  /** Kills its whole process group; resolves when it is gone. */
  async kill(reason: unknown = new Error(`${this.#program} is no longer needed`)): Promise<void> {
    this.#ended ??= reason
    this.hold(true)
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // it has ended, or the platform has no groups
      this.#child.kill('SIGKILL')
    }
    await this.exited
  }

  /** While it is idle it must not keep our process alive. */
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

/** Runs a program to its end. @returns what it said on stderr */
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

/** On Linux: a network of its own, with nothing in it, and death with its parent. What the system does not allow is left out. */
const CONFINEMENTS = [
  ['unshare', '-rn', '--', 'setpriv', '--pdeathsig', 'KILL', '--'],
  ['setpriv', '--pdeathsig', 'KILL', '--'],
]
let confinement: Promise<string[]> | undefined

/** The command as it runs with the least that the system lets us grant it. */
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

/** Whether a program can be started and ends well within seconds. */
export function succeeds(program: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 5_000 }, (error) => resolve(error === null))
  })
}

// One parser process: start, requests, enforcement of limits, and kill with all its processes.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { MediaFailure } from '../failure.ts'
import type { Command } from '../process/limited-process.ts'
import type { ParseAnswer, ParseRequest } from './parse-child.ts'
import type { Page } from '../page.ts'
import type { ParseLimits, ParseOptions } from './parse-limits.ts'
import type { PdfPart } from './pdf-engines.ts'
import { causeOfDeath, ParserCrash, tooMuchMemory, tooMuchOutput, tooSlow } from './parser-death.ts'
import { lowerPriority } from '../process/priority.ts'
import { residentMb } from '../process/resident-memory.ts'

/** Interval of memory checks of a busy parser, in milliseconds. */
const MEMORY_WATCH_MS = 100
/** Characters of a parser's stderr that are kept. */
const STDERR_KEPT = 4_096
/** Inherited environment variables: no secrets. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'DENO_DIR', 'SystemRoot']

export class ParserChild {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #decoder = new StringDecoder('utf8')
  readonly #exited = Promise.withResolvers<void>()
  #ready = false
  #stderr = ''
  #partLine = ''
  #received = 0
  #asked:
    | { pages: Page[]; limits: ParseLimits; resolve: (part: PdfPart) => void; reject: (why: unknown) => void }
    | undefined
  /** The reason of the kill; set once. */
  #ended: unknown

  constructor([program, args]: Command) {
    const env = Object.fromEntries(
      ENVIRONMENT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    )
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true, windowsHide: true })
    lowerPriority(this.#child.pid)
    this.#child.on('error', (cause) => this.#gone(new Error('Cannot start the document parser', { cause })))
    this.#child.stdin.on('error', () => {})
    this.#child.stdout.on('data', (bytes: Buffer) => this.#hear(bytes))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)
    })
    this.#child.on('close', (code, signal) => {
      const death = { code, signal, stderr: this.#stderr, ready: this.#ready, limits: this.#asked?.limits }
      this.#gone(this.#ended ?? causeOfDeath(death))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get alive(): boolean {
    return this.#ended === undefined
  }

  /**
   * Sends one request at a time. After any error except a `failure` of the document, the process is killed.
   * @throws MediaFailure, ParserCrash, or the signal's reason
   */
  async ask(request: ParseRequest, { signal, limits }: ParseOptions): Promise<PdfPart> {
    const { promise, resolve, reject } = Promise.withResolvers<PdfPart>()
    this.#received = 0
    this.#asked = { pages: [], limits, resolve, reject }
    const abort = () => void this.kill(signal.reason)
    const late = setTimeout(() => void this.kill(tooSlow(limits)), limits.time_ms)
    const watch = setInterval(() => void this.#checkMemory(limits), MEMORY_WATCH_MS)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    this.#hold(true)
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    try {
      return await promise
    } finally {
      this.#asked = undefined
      clearTimeout(late)
      clearInterval(watch)
      signal.removeEventListener('abort', abort)
      this.#hold(false)
    }
  }

  /** Kills its whole process group; resolves when it has exited. The pending request fails with the reason. */
  async kill(reason: unknown = new Error('The parser is no longer needed')): Promise<void> {
    this.#ended ??= reason
    this.#hold(true)
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // it has exited, or the platform has no process groups
      this.#child.kill('SIGKILL')
    }
    await this.#exited.promise
  }

  /** While idle it must not keep the parent process alive. */
  #hold(busy: boolean): void {
    // Deno 2.9 throws when the program could not be started.
    if (this.#child.pid === undefined) return
    const handles: unknown[] = [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]
    for (const handle of handles as { ref?(): void; unref?(): void }[]) {
      if (busy) handle.ref?.()
      else handle.unref?.()
    }
  }

  #hear(bytes: Buffer): void {
    const asked = this.#asked
    this.#received += bytes.length
    if (asked && this.#received > asked.limits.output_bytes) return void this.kill(tooMuchOutput(asked.limits))
    const [first = '', ...rest] = this.#decoder.write(bytes).split('\n')
    this.#partLine += first
    for (const next of rest) {
      this.#take(this.#partLine)
      this.#partLine = next
    }
  }

  #take(line: string): void {
    if (this.#ended !== undefined) return
    const answer = parseAnswer(line)
    if (!answer) return void this.kill(new ParserCrash('The parser said what cannot be understood'))
    if ('ready' in answer) this.#ready = true
    else if ('page' in answer) this.#asked?.pages.push(answer)
    else if ('total' in answer) this.#asked?.resolve({ total: answer.total, pages: this.#asked.pages })
    else if ('failure' in answer) this.#asked?.reject(new MediaFailure(answer.failure.reason, answer.failure.message))
    else this.#asked?.reject(new Error(`Cannot parse the document: ${answer.error}`))
  }

  async #checkMemory(limits: ParseLimits): Promise<void> {
    const used = this.#child.pid === undefined ? undefined : await residentMb(this.#child.pid)
    if (used !== undefined && used > limits.memory_mb) await this.kill(tooMuchMemory(limits))
  }

  #gone(why: unknown): void {
    this.#ended ??= why
    this.#asked?.reject(this.#ended)
    this.#exited.resolve()
  }
}

function parseAnswer(line: string): ParseAnswer | undefined {
  try {
    return JSON.parse(line) as ParseAnswer
  } catch {
    return undefined
  }
}

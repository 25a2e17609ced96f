// A child program that reads untrusted files in a process with limits and without network: one request at a time, one line
// each.
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaFailure, ReaderFailed } from '../failure.ts'
import type { ChildKind } from './child-kind.ts'
import type { ChildMessage, LastMessage } from './child-protocol.ts'
import { confined, type LimitedOptions, LimitedProcess, ProgramFailed } from './limited-process.ts'
import { makeScratch, removeScratch } from './scratch.ts'

/** The child crashed on the file, within its limits: another library may be able to read it. */
export class ChildCrash extends MediaFailure {
  constructor(what: string, options: { cause?: unknown }) {
    super('damaged', `The ${what} makes its reader crash`, options)
  }
}

export class ChildProgram {
  /** Number of requests so far. */
  requests = 0
  readonly #what: string
  readonly #folder: string
  readonly #process: LimitedProcess
  #ready = false
  readonly #started = Promise.withResolvers<void>()
  #receive: (message: Exclude<ChildMessage, { ready: true }>) => void = () => {}

  static async start(kind: ChildKind, memoryMb: number): Promise<ChildProgram> {
    const folder = kind.writes ? await makeScratch() : ''
    return new ChildProgram(kind.what, await confined(kind.command(memoryMb, folder)), folder)
  }

  private constructor(what: string, command: [string, string[]], folder: string) {
    this.#what = what
    this.#folder = folder
    this.#process = new LimitedProcess(command, { onLine: (line) => this.#take(line) })
    this.#process.hold(false)
    void this.#process.exited.then(this.#started.resolve)
    if (folder) void this.#process.exited.then(() => removeScratch(folder))
  }

  get alive(): boolean {
    return this.#process.alive
  }

  /** Resolves when it can answer, or has ended. */
  get started(): Promise<void> {
    return this.#started.promise
  }

  /** Resolves when it has ended. */
  get exited(): Promise<void> {
    return this.#process.exited
  }

  /** Runs `work` with a folder for one request, within its own; it is removed afterwards. */
  async inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(this.#folder, 'p-'))
    try {
      return await work(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /**
   * @param onPiece is called with the parts of the answer before the last one
   * @throws MediaFailure, or the reason for which it was killed; it can be asked again while it is `alive`
   */
  async ask<T extends object>(
    request: object,
    options: Omit<LimitedOptions, 'what'>,
    onPiece: (piece: unknown) => void = () => {},
  ): Promise<T> {
    this.requests += 1
    const stop = this.#process.watch({ ...options, what: this.#what })
    this.#process.hold(true)
    const { promise, resolve } = Promise.withResolvers<LastMessage>()
    this.#receive = (message) => {
      if ('piece' in message) onPiece(message.piece)
      else resolve(message)
    }
    this.#process.write(JSON.stringify(request))
    try {
      const last = await Promise.race([promise, this.#process.result()])
      if (!last) throw this.#crash(new Error('It exited without an answer'))
      if ('failure' in last) throw new MediaFailure(last.failure.reason, last.failure.message)
      if ('error' in last) throw new ReaderFailed(`Cannot read the ${this.#what}: ${last.error}`)
      return last.done as T
    } catch (error) {
      throw error instanceof ProgramFailed ? this.#crash(error) : error
    } finally {
      stop()
      this.#receive = () => {}
      this.#process.hold(false)
    }
  }

  async end(): Promise<void> {
    await this.#process.kill()
    if (this.#folder) await removeScratch(this.#folder)
  }

  #take(line: string): void {
    // Output after a kill is ignored: it may be cut.
    if (!this.alive) return
    try {
      const message = JSON.parse(line) as ChildMessage
      if ('ready' in message) {
        this.#ready = true
        this.#started.resolve()
      } else this.#receive(message)
    } catch (cause) {
      const unreadable = new Error(`It answered with what is no message: ${line.slice(0, 200)}`, { cause })
      void this.#process.kill(this.#crash(unreadable))
    }
  }

  /** Only a crash before it is ready is not the file's fault. */
  #crash(cause: Error): Error {
    if (cause instanceof ProgramFailed && /out of memory|allocation failed/i.test(cause.stderr))
      return new MediaFailure('too_much_memory', `Reading the ${this.#what} took too much memory`, { cause })
    return this.#ready
      ? new ChildCrash(this.#what, { cause })
      : new Error(`Cannot start the reader of the ${this.#what}`, { cause })
  }
}

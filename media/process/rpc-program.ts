// RPC to a child program that reads untrusted files in a process with limits and without network: one request at a time,
// one line each; its files are in a folder that is deleted with it.
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MediaFailure, type MediaFailureReason, ReaderFailed } from '../failure.ts'
import { confined, LimitedProcess, ProgramFailed, type LimitedOptions } from './limited-process.ts'
import { makeScratch, removeScratch } from './scratch.ts'

/** The last line of every answer; the lines before it are the results, one each. `error` is an internal error. */
export type LastLine =
  | { done: object }
  | { failure: { reason: MediaFailureReason; message: string } }
  | { error: string }

export class RpcProgram {
  readonly folder: string
  asked = 0
  readonly #process: LimitedProcess
  #heard: (line: string) => void = () => {}

  /** @param script a file URL; it gets the parent's process id and its folder */
  static async start(script: URL, memoryMb?: number): Promise<RpcProgram> {
    const folder = await makeScratch()
    return new RpcProgram(await confined(commandOf(script, folder, memoryMb)), folder)
  }

  private constructor(command: [string, string[]], folder: string) {
    this.folder = folder
    this.#process = new LimitedProcess(command, { onLine: (line) => this.#heard(line) })
    this.#process.hold(false)
    void this.#process.exited.then(() => removeScratch(folder))
  }

  get alive(): boolean {
    return this.#process.alive
  }

  /** Creates a folder for one request, within its own. */
  makeFolder(): Promise<string> {
    return mkdtemp(join(this.folder, 'p-'))
  }

  /**
   * @param onPiece is called with the lines before the last one
   * @throws MediaFailure, after which it can be reused, or the reason for which it was killed
   */
  async ask<T extends object>(
    request: object,
    options: LimitedOptions,
    onPiece: (piece: unknown) => void = () => {},
  ): Promise<T> {
    this.asked += 1
    this.#process.hold(true)
    const stop = this.#process.watch(options)
    const { promise, resolve, reject } = Promise.withResolvers<LastLine>()
    this.#heard = (line) => {
      try {
        const said = JSON.parse(line) as LastLine | { piece: unknown }
        if ('piece' in said) onPiece(said.piece)
        else resolve(said)
      } catch (cause) {
        reject(new Error(`The reader of the ${options.what} said what cannot be understood`, { cause }))
      }
    }
    this.#process.write(JSON.stringify(request))
    try {
      const last = await Promise.race([promise, this.#process.result().then((): LastLine => ({ error: 'it ended' }))])
      if ('failure' in last) throw new MediaFailure(last.failure.reason, last.failure.message)
      if ('error' in last) throw new ReaderFailed(`Cannot read the ${options.what}: ${last.error}`)
      return last.done as T
    } catch (error) {
      if (error instanceof ProgramFailed) {
        if (/out of memory|allocation failed/i.test(error.stderr))
          throw new MediaFailure('too_much_memory', `Reading the ${options.what} took too much memory`, {
            cause: error,
          })
        throw new MediaFailure('damaged', `The ${options.what} makes its reader crash`, { cause: error })
      }
      throw error
    } finally {
      stop()
      this.#process.hold(false)
    }
  }

  async end(): Promise<void> {
    await this.#process.kill()
    await removeScratch(this.folder)
  }
}

/** On the current runtime; it may read files, write into its folder, and load native code. */
function commandOf(script: URL, folder: string, memoryMb?: number): [string, string[]] {
  const args = [fileURLToPath(script), String(process.pid), folder]
  const heap = memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`]
  if ('Deno' in globalThis) {
    // `--allow-run` is required for a process to kill itself.
    const allowed = [
      '--allow-read',
      `--allow-write=${folder}`,
      '--allow-ffi',
      '--allow-sys',
      '--allow-env',
      '--allow-run',
    ]
    const flags = heap.length > 0 ? [`--v8-flags=${heap.join(',')}`] : []
    return [process.execPath, ['run', '--no-prompt', '--node-modules-dir=manual', ...flags, ...allowed, ...args]]
  }
  const allowed = ['--allow-fs-read=*', `--allow-fs-write=${folder}`, '--allow-addons', '--allow-worker']
  return [process.execPath, ['--permission', ...allowed, '--no-warnings', ...heap, ...args]]
}

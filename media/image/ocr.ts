// OCR, in as many processes as there are cores, shared by all callers.
import { mapAll } from '../../contracts/map-all.ts'
import { Slots } from '../../contracts/slots.ts'
import { availableParallelism } from 'node:os'
import { RpcProgram } from '../process/rpc-program.ts'
import { MediaFailure, ReaderFailed } from '../failure.ts'
import type { ProcessLimits } from '../process/limited-process.ts'
import type { OcrRequest } from './ocr-child.ts'
import type { Recognized } from '../page.ts'

export interface OcrOptions {
  /** Codes of three letters; they must be installed. */
  languages: string[]
  signal: AbortSignal
  /** The image's owner: an OCR process serves one owner only. */
  owner: string
}

/**
 * Idle timeout of an OCR process, in milliseconds; number of images after which it is replaced, because its memory grows.
 */
const IDLE_MS = 10_000
const MOST_READ = 100

interface Reader {
  program: RpcProgram
  owner: string
  timer?: NodeJS.Timeout
}

export class Ocr {
  readonly #limits: ProcessLimits
  readonly #most: number
  readonly #slots: Slots
  #idle: Reader[] = []

  constructor(limits: ProcessLimits, most = availableParallelism()) {
    this.#limits = limits
    this.#most = most
    this.#slots = new Slots(most)
  }

  /** Reads an image, or a page of a PDF. @throws MediaFailure, or the signal's reason */
  async recognize(source: { path: string; page?: number }, options: OcrOptions): Promise<Recognized> {
    const { languages, signal, owner } = options
    const giveBack = await this.#slots.take(signal)
    try {
      const reader = this.#takeIdle(owner) ?? {
        owner,
        program: await RpcProgram.start(new URL('ocr-child.ts', import.meta.url)),
      }
      const request: OcrRequest = { ...source, languages }
      try {
        const read = await reader.program.ask<Recognized>(request, { signal, limits: this.#limits, what: 'picture' })
        this.#keepIdle(reader)
        return read
      } catch (error) {
        await reader.program.end()
        if (error instanceof ReaderFailed)
          throw new MediaFailure('damaged', 'The picture is damaged and cannot be read', { cause: error })
        throw error
      }
    } finally {
      giveBack()
    }
  }

  async close(): Promise<void> {
    await mapAll(this.#idle, (reader) => this.#end(reader))
  }

  #takeIdle(owner: string): Reader | undefined {
    const found = this.#idle.find((reader) => reader.program.alive && reader.owner === owner)
    if (found) this.#forget(found)
    // Idle processes of other owners are stopped.
    else if (this.#idle.length > 0 && this.#idle.length + this.#slots.taken > this.#most) void this.#end(this.#idle[0]!)
    return found
  }

  #keepIdle(reader: Reader): void {
    if (reader.program.asked >= MOST_READ) return void reader.program.end()
    reader.timer = setTimeout(() => void this.#end(reader), IDLE_MS).unref()
    this.#idle.push(reader)
  }

  #forget(reader: Reader): void {
    clearTimeout(reader.timer)
    this.#idle = this.#idle.filter((each) => each !== reader)
  }

  async #end(reader: Reader): Promise<void> {
    this.#forget(reader)
    await reader.program.end()
  }
}

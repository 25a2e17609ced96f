// OCR, in as many processes as there are cores, shared by all callers.
import { Slots } from '../../contracts/slots.ts'
import { availableParallelism } from 'node:os'
import { type ChildKind, scriptCommand } from '../process/child-kind.ts'
import { withChild } from '../process/child-pool.ts'
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

export class Ocr {
  readonly #limits: ProcessLimits
  readonly #slots: Slots
  readonly #reader: ChildKind

  constructor(limits: ProcessLimits, most = availableParallelism()) {
    this.#limits = limits
    this.#slots = new Slots(most)
    this.#reader = {
      what: 'picture',
      writes: true,
      most,
      command: scriptCommand(new URL('ocr-child.ts', import.meta.url)),
    }
  }

  /** Reads an image, or a page of a PDF. @throws MediaFailure, or the signal's reason */
  async recognize(source: { path: string; page?: number }, options: OcrOptions): Promise<Recognized> {
    const { languages, signal, owner } = options
    const giveBack = await this.#slots.take(signal)
    try {
      const request: OcrRequest = { ...source, languages }
      return await withChild(this.#reader, { owner, memory_mb: this.#limits.memory_mb }, (child) =>
        child.ask<Recognized>(request, { signal, limits: this.#limits }),
      )
    } catch (error) {
      if (error instanceof ReaderFailed)
        throw new MediaFailure('damaged', 'The picture is damaged and cannot be read', { cause: error })
      throw error
    } finally {
      giveBack()
    }
  }
}

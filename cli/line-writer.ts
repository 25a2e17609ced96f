// Writes lines to a file descriptor and never fails: what cannot be written, because a disk is full or a reader is gone, is dropped and counted.
import { writeSync } from 'node:fs'

/** How long a line waits for the reader of a pipe that is full, in milliseconds. */
const PATIENCE_MS = 50
const LOOK_MS = 1

export interface LineWriterOptions {
  /** The line that tells, once lines can be written again, how many were dropped. */
  notice: (dropped: number) => string
  /** Only tests give another one. */
  write?: (fd: number, bytes: Uint8Array) => number
}

export class LineWriter {
  readonly #fd: number
  readonly #notice: LineWriterOptions['notice']
  readonly #write: NonNullable<LineWriterOptions['write']>
  #dropped = 0
  /** Whether the last thing written is the beginning of a line whose rest was dropped. */
  #torn = false

  constructor(fd: number, { notice, write = writeSync }: LineWriterOptions) {
    this.#fd = fd
    this.#notice = notice
    this.#write = write
  }

  /** @param line with its line break */
  write(line: string): void {
    const notice = this.#dropped > 0 ? `${this.#notice(this.#dropped)}\n` : ''
    if (notice && !this.#put(`${this.#torn ? '\n' : ''}${notice}`)) {
      this.#dropped += 1
      return
    }
    if (notice) this.#dropped = 0
    if (!this.#put(line)) this.#dropped += 1
  }

  #put(text: string): boolean {
    const bytes = Buffer.from(text)
    // A reader that was late once is waited for again when it has caught up.
    const deadline = performance.now() + (this.#dropped > 0 ? 0 : PATIENCE_MS)
    let at = 0
    while (at < bytes.length) {
      try {
        at += this.#write(this.#fd, bytes.subarray(at))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN' && performance.now() < deadline) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
          continue
        }
        this.#torn ||= at > 0
        return false
      }
    }
    this.#torn = false
    return true
  }
}

/** Handles write errors of stdout and stderr: an `error` event without a listener would end the process. */
export function surviveWriteErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

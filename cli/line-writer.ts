// Writes lines to a file descriptor and never fails: lines that cannot be written (disk full, reader gone) are dropped and counted.
import { writeSync } from 'node:fs'

/** Longest wait of a line for the reader of a full pipe, in milliseconds. */
const PATIENCE_MS = 50
const LOOK_MS = 1

export interface LineWriterOptions {
  /** The line with the number of dropped lines, written once writing works again. */
  notice: (dropped: number) => string
  /** Replaced only in tests. */
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
    // After a timeout, the reader is waited for again only once it has caught up.
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

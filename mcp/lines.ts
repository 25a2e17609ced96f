// Splits a stream of bytes into lines of bounded length.

const KEPT = 512

/** A line that was too long: its two ends; the rest is dropped. */
export interface LongLine {
  head: string
  tail: string
}

export class Lines {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The lines that a chunk completes, in order. */
  push(chunk: Buffer): (string | LongLine)[] {
    const lines: (string | LongLine)[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      lines.push(this.#take())
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return
    this.#chunks.push(part)
    this.#bytes += part.length
    if (this.#bytes <= this.#maxBytes) return
    // Only the two ends are kept from here on.
    const [head = part] = this.#chunks
    const tail = Buffer.concat(this.#chunks.slice(-2)).subarray(-KEPT)
    this.#chunks = [Buffer.from(head.subarray(0, KEPT)), Buffer.from(tail)]
  }

  #take(): string | LongLine {
    const line: string | LongLine =
      this.#bytes > this.#maxBytes
        ? { head: this.#chunks[0]!.toString(), tail: this.#chunks.at(-1)!.toString() }
        : Buffer.concat(this.#chunks).toString()
    this.#chunks = []
    this.#bytes = 0
    return line
  }
}

// Keeps the end of an output of any length.

const MAX_BYTES = 8_192

export class Tail {
  #kept = Buffer.alloc(0)

  add(chunk: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, chunk.subarray(-MAX_BYTES)]).subarray(-MAX_BYTES)
  }

  get text(): string {
    return this.#kept.toString()
  }

  /** The last non-empty line, at most 300 characters of it. */
  get last(): string {
    const line = this.text.split('\n').findLast((each) => each.trim() !== '')
    return (line ?? '').trim().slice(0, 300)
  }
}

// A stream as a source of pieces that may be sent again.
import type { FileSource } from './read-file.ts'

/** A stream of a known size: what was read last is kept, so that it can be sent again. */
export class StreamSource implements FileSource {
  readonly size: number
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
  #kept: Uint8Array<ArrayBuffer>[] = []
  #start = 0
  #end = 0

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, size: number) {
    this.#reader = stream.getReader()
    this.size = size
  }

  async slice(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (start < this.#start) throw new TypeError('Cannot go back in a stream: upload it as a Blob or a path')
    while (this.#end < end) {
      const { value } = await this.#reader.read()
      if (!value) throw new TypeError(`Cannot read the stream: it has ${this.#end} bytes, and 'size' is ${this.size}`)
      this.#kept.push(value)
      this.#end += value.length
    }
    const bytes = new Uint8Array(end - start)
    let at = this.#start - start
    const kept: Uint8Array<ArrayBuffer>[] = []
    for (const piece of this.#kept) {
      if (at + piece.length > 0) {
        kept.push(piece)
        if (at < bytes.length) {
          const from = Math.max(0, -at)
          bytes.set(piece.subarray(from, Math.min(piece.length, bytes.length - at)), at + from)
        }
      } else this.#start += piece.length
      at += piece.length
    }
    this.#kept = kept
    return bytes
  }

  async close(): Promise<void> {
    await this.#reader.cancel()
  }
}

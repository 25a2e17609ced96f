// A reply of the scripted model that stays unfinished for as long as a test wants.
import type { ServerResponse } from 'node:http'

/** Pieces that are sent before the rest is held back: about 100 characters. */
const PIECES = 12
let count = 0

/** Given to steps of a script: their first pieces are sent, and the rest after `release`. */
export class HeldReply {
  /** The id of the completion on the wire. */
  readonly id = `chatcmpl-held-${(count += 1)}`
  readonly pieces: number
  readonly #kept: (() => void)[] = []
  #isReleased = false

  /** @param pieces how many pieces are sent at first, after the one with the role */
  constructor(pieces = PIECES) {
    this.pieces = pieces
  }

  /** Sends what has been held back, and everything after it as it comes. */
  release(): void {
    this.#isReleased = true
    for (const send of this.#kept.splice(0)) send()
  }

  /** Sends now, or when the reply is released. */
  pass(piece: number, send: () => void): void {
    if (this.#isReleased || piece <= this.pieces) send()
    else this.#kept.push(send)
  }
}

/** Holds back what is written to a response, from the first chunk on that has the id of a held reply. */
export function holdBack(response: ServerResponse, find: (chunk: string) => HeldReply | undefined): void {
  const write = response.write.bind(response) as (chunk: string) => boolean
  const end = response.end.bind(response) as (chunk?: string) => ServerResponse
  let held: HeldReply | undefined
  let piece = -1
  response.write = ((chunk: string) => {
    held ??= find(chunk)
    if (!held) return write(chunk)
    piece += 1
    held.pass(piece, () => void write(chunk))
    return true
  }) as ServerResponse['write']
  response.end = ((chunk?: string) => {
    if (!held) return end(chunk)
    held.pass(piece, () => void end(chunk))
    return response
  }) as ServerResponse['end']
}

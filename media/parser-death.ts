// Why a parser process came to its end, as the failure that is told of the document.
import { MediaFailure } from './failure.ts'
import type { ParseLimits } from './parse-document.ts'

/** The parser died of the document, by no limit of ours. */
export class ParserCrash extends Error {
  override readonly name = 'ParserCrash'
}

export interface Death {
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
  /** Whether it had started properly. */
  ready: boolean
  /** Of what it was doing. */
  limits: ParseLimits | undefined
}

/** Of a parser that we did not kill. Only what dies before it is ready is no fault of the document. */
export function causeOfDeath({ code, signal, stderr, ready, limits }: Death): Error {
  const cause = new Error(`The parser ended with ${signal ?? `code ${code}`}: ${stderr}`)
  // A SIGKILL that is not ours is the kernel's, or the parser's own guard's.
  if (signal === 'SIGKILL' || /out of memory|allocation failed/i.test(stderr)) return tooMuchMemory(limits, cause)
  return ready
    ? new ParserCrash('The parser crashed', { cause })
    : new Error('Cannot start the document parser', { cause })
}

export function tooSlow({ time_ms }: ParseLimits): MediaFailure {
  return new MediaFailure('too_slow', `Reading the document took longer than ${time_ms / 1_000} seconds`)
}

export function tooMuchMemory(limits: ParseLimits | undefined, cause?: unknown): MediaFailure {
  const most = limits ? `more than ${limits.memory_mb} MB of memory` : 'too much memory'
  return new MediaFailure('too_much_memory', `Reading the document took ${most}`, { cause })
}

export function tooMuchOutput({ output_bytes }: ParseLimits): MediaFailure {
  return new MediaFailure('too_much_output', `The text of these pages is longer than ${output_bytes} bytes`)
}

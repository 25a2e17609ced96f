// Maps the end of a parser process to a failure of the document.
import { MediaFailure } from '../failure.ts'
import type { ParseLimits } from './parse-limits.ts'

/** The parser crashed on the document, within its limits. */
export class ParserCrash extends Error {
  override readonly name = 'ParserCrash'
}

export interface Death {
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
  /** Whether it had started successfully. */
  ready: boolean
  /** Limits of its current request. */
  limits: ParseLimits | undefined
}

/** For a parser that was not killed by its parent. Only a crash before it is ready is not the document's fault. */
export function causeOfDeath({ code, signal, stderr, ready, limits }: Death): Error {
  const cause = new Error(`The parser ended with ${signal ?? `code ${code}`}: ${stderr}`)
  // A SIGKILL from elsewhere is the kernel's, or the parser's own memory guard's.
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

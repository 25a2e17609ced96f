// The address of the local Temporal server, which the supervisor writes to the app process: one line of JSON.
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** An argument of `process.ts`: it then reads the line from standard input. */
export const TEMPORAL_ON_STDIN = '--temporal-on-stdin'

export interface TemporalPlace {
  address: string
  uiUrl: string
}

/** The line for a `TemporalPlace`. */
export function temporalPlaceLine(place: TemporalPlace): string {
  return `${JSON.stringify(place)}\n`
}

/** Reads the line; rejects when the input ends before, or when `signal` is aborted. */
export async function readTemporalPlace(input: Readable, signal?: AbortSignal): Promise<TemporalPlace> {
  const lines = createInterface({ input, ...(signal && { signal }) })
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve).once('close', () => resolve(undefined))
  })
  lines.close()
  if (line === undefined) throw new Error('The supervisor told no Temporal server')
  // `close` has paused it; its end is still awaited.
  input.resume()
  return JSON.parse(line) as TemporalPlace
}

// Spares: children that have not seen any file, so that each may become that of any owner. One a kind is started ahead, because
// starting one costs more than most files, and ends when it is not needed for a while.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { mapAll } from '../../contracts/map-all.ts'
import type { ChildKind } from './child-kind.ts'
import { ChildProgram } from './child-program.ts'

/** Pause before the first sample, in milliseconds: files that follow each other directly take the spare before, and pay for no samples. */
const PAUSE_MS = 100
/** Limits of one sample; memory has that of the child. */
const SAMPLE = { time_ms: 30_000, output_bytes: 1_000_000 }

export interface SpareOptions {
  kind: ChildKind
  memory_mb: number
  /** How long it waits for an owner, in milliseconds. */
  idle_ms: number
}

interface Spare extends SpareOptions {
  /** Started, and samples read; undefined if it could not be. */
  program: Promise<ChildProgram | undefined>
  /** Aborted when it is no longer needed. */
  ended: AbortController
  /** Aborted when it reads no further samples: a file waits for it, or it is no longer needed. */
  wanted: AbortController
  timer?: NodeJS.Timeout
}

let spares: Spare[] = []

/** Starts the spare of a kind, or lets it wait as long again. */
export function keepSpare(options: SpareOptions): void {
  const { kind, memory_mb, idle_ms } = options
  if (!kind.samples?.length) return
  const [found] = spares.filter((spare) => spare.kind === kind)
  if (found && found.memory_mb !== memory_mb) void endSpares(kind)
  const spare = found?.memory_mb === memory_mb ? found : add(options)
  clearTimeout(spare.timer)
  spare.timer = setTimeout(() => void end(spare), idle_ms).unref()
}

/** The spare, which from now on is the caller's; undefined if there is none. It finishes the sample that it reads. */
export async function takeSpare(kind: ChildKind, memoryMb: number): Promise<ChildProgram | undefined> {
  const spare = spares.find((each) => each.kind === kind && each.memory_mb === memoryMb)
  if (!spare) return undefined
  forget(spare)
  spare.wanted.abort()
  const program = await spare.program
  return program?.alive ? program : undefined
}

/** Ends the spare of a kind, or all of them, when the process stops. */
export async function endSpares(kind?: ChildKind): Promise<void> {
  await mapAll(
    spares.filter((spare) => kind === undefined || spare.kind === kind),
    end,
  )
}

function add(options: SpareOptions): Spare {
  const spare: Spare = {
    ...options,
    program: Promise.resolve(undefined),
    ended: new AbortController(),
    wanted: new AbortController(),
  }
  spare.program = start(spare).catch(() => undefined)
  spares.push(spare)
  return spare
}

/** The next file starts a child itself, and tells why that failed. */
async function start(spare: Spare): Promise<ChildProgram> {
  const { kind, memory_mb } = spare
  const wanted = spare.wanted.signal
  const program = await ChildProgram.start(kind, memory_mb)
  void program.exited.then(() => forget(spare))
  const rested = program.started.then(() => delay(PAUSE_MS, undefined, { ref: false }))
  if (!wanted.aborted) await Promise.race([rested, once(wanted, 'abort')])
  for (const sample of kind.samples ?? []) {
    if (wanted.aborted) break
    // Only what the sample has loaded is needed.
    await program.ask(sample, { signal: spare.ended.signal, limits: { ...SAMPLE, memory_mb } }).catch(() => undefined)
  }
  return program
}

function forget(spare: Spare): void {
  clearTimeout(spare.timer)
  spares = spares.filter((each) => each !== spare)
}

async function end(spare: Spare): Promise<void> {
  forget(spare)
  spare.wanted.abort()
  spare.ended.abort(new Error('The spare is not needed'))
  await (await spare.program)?.end()
}

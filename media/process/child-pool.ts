// The child programs of this process: those that wait for another request of their owner, and one without an owner for the next.
import { mapAll } from '../../contracts/map-all.ts'
import { MediaFailure } from '../failure.ts'
import type { ChildKind } from './child-kind.ts'
import { ChildProgram } from './child-program.ts'
import { endSpares, keepSpare, takeSpare } from './spares.ts'

/** How long an idle child is kept, in milliseconds. */
const IDLE_MS = 60_000
/** Requests after which a child is replaced, because the memory of some libraries grows. */
const MOST_REQUESTS = 100

export interface ChildUse {
  /** Whose files it reads: a child serves one owner only, so that a malicious file cannot affect those of others. */
  owner: string
  memory_mb: number
}

interface Child extends ChildUse {
  kind: ChildKind
  program: ChildProgram
  timer?: NodeJS.Timeout
}

/** In order of their last use. */
let idle: Child[] = []
let busy: Child[] = []

/**
 * Runs `work` with a child, an idle one of the same kind and owner or the spare if there is one. It is kept for the next request unless
 * it has ended, or `work` fails with anything but a fault of the file.
 */
export async function withChild<T>(
  kind: ChildKind,
  { owner, memory_mb }: ChildUse,
  work: (program: ChildProgram) => Promise<T>,
): Promise<T> {
  const child = takeIdle(kind, owner, memory_mb) ?? {
    kind,
    owner,
    memory_mb,
    program: (await takeSpare(kind, memory_mb)) ?? (await ChildProgram.start(kind, memory_mb)),
  }
  busy.push(child)
  try {
    return await work(child.program)
  } catch (error) {
    if (!(error instanceof MediaFailure) || !child.program.alive) await child.program.end()
    throw error
  } finally {
    busy = busy.filter((each) => each !== child)
    keepIdle(child)
    expectOwner(kind, memory_mb)
  }
}

/** Starts a spare for the next owner. When as many as are allowed are busy, the first of them that is done does it. */
export function expectOwner(kind: ChildKind, memoryMb: number): void {
  if (busy.filter((child) => child.kind === kind).length < kind.most)
    keepSpare({ kind, memory_mb: memoryMb, idle_ms: IDLE_MS })
}

/** Ends the idle children of an owner, or all of them and the spares, when the process stops. */
export async function endIdleChildren(owner?: string): Promise<void> {
  await mapAll(
    idle.filter((child) => owner === undefined || child.owner === owner),
    end,
  )
  if (owner === undefined) await endSpares()
}

function takeIdle(kind: ChildKind, owner: string, memoryMb: number): Child | undefined {
  const found = idle.findLast(
    (child) => child.kind === kind && child.owner === owner && child.memory_mb === memoryMb && child.program.alive,
  )
  if (found) forget(found)
  else endSurplus(kind, 1)
  return found
}

function keepIdle(child: Child): void {
  if (!child.program.alive) return
  if (child.program.requests >= MOST_REQUESTS) return void end(child)
  child.timer = setTimeout(() => void end(child), IDLE_MS).unref()
  idle.push(child)
  endSurplus(child.kind, 0)
}

/** Ends those that have been idle longest. @param more number of children about to have an owner */
function endSurplus(kind: ChildKind, more: number): void {
  const ofKind = (child: Child) => child.kind === kind
  const waiting = idle.filter(ofKind)
  const surplus = waiting.length + busy.filter(ofKind).length + more - kind.most
  for (const child of waiting.slice(0, Math.max(0, surplus))) void end(child)
}

function forget(child: Child): void {
  clearTimeout(child.timer)
  idle = idle.filter((each) => each !== child)
}

async function end(child: Child): Promise<void> {
  forget(child)
  await child.program.end()
}

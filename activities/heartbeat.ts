// Heartbeats on a timer: often enough that a killed worker is noticed, seldom enough that many streams cost little.
import { Context } from '@temporalio/activity'

const BEAT_MS = 2_000

/** Beats until the returned function is called. */
export function startBeating(): () => void {
  const context = Context.current()
  context.heartbeat()
  const timer = setInterval(() => context.heartbeat(), BEAT_MS)
  return () => clearInterval(timer)
}

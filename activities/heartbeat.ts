// Heartbeats on a timer: often enough to detect a killed worker, seldom enough that many streams cost little.
import { Context } from '@temporalio/activity'

const BEAT_MS = 2_000

/** Sends heartbeats until the returned function is called. */
export function startBeating(): () => void {
  const context = Context.current()
  context.heartbeat()
  const timer = setInterval(() => context.heartbeat(), BEAT_MS)
  return () => clearInterval(timer)
}

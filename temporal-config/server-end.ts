// Stops a Temporal server, a child process or an adopted one.
import { setTimeout as sleep } from 'node:timers/promises'
import { isServerAlive } from './server-processes.ts'

const STOP_MS = 10_000

/** Resolves when a process that is not a child has exited. */
export async function endOfOther(pid: number, db: string): Promise<string> {
  while (isServerAlive(pid, db)) await sleep(250)
  return 'it has exited'
}

/** Sends SIGTERM, and SIGKILL after 10 s. */
export async function stopServer(pid: number, ended: Promise<string>, db: string): Promise<void> {
  const patience = new AbortController()
  signalServer(pid, 'SIGTERM', db)
  await Promise.race([ended, sleep(STOP_MS, undefined, { signal: patience.signal }).catch(() => {})])
  patience.abort()
  signalServer(pid, 'SIGKILL', db)
  await ended
}

/** Never signals a pid that was reused by another process. */
export function signalServer(pid: number, signal: NodeJS.Signals, db: string): void {
  if (!isServerAlive(pid, db)) return
  try {
    process.kill(pid, signal)
  } catch {
    // it exited in between
  }
}

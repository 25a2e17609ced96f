// Process priority: reading files has low priority.
import { setPriority } from 'node:os'

/**
 * With this nice value a process gets a third of a contended core. With much less, parsing on a busy machine would time out.
 */
const NICE = 5

/** Lowers the CPU priority of a process and its children: chats take precedence. */
export function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, NICE)
  } catch {
    // It has exited already.
  }
}

// Reading files is never urgent.
import { constants, setPriority } from 'node:os'

/** Has a program, and all that it will start, wait for whoever else wants the cores: a chat comes first. */
export function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already.
  }
}

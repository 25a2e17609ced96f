// Reading files is never urgent.
import { setPriority } from 'node:os'

/** Gets a third of a core where others want it too. Much less, and a file on a busy machine would seem too slow to read. */
const NICE = 5

/** Has a program, and all that it will start, come after whoever else wants the cores: a chat comes first. */
export function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, NICE)
  } catch {
    // It has ended already.
  }
}

// Memory of a process and of everything it has started, as Linux counts it.
import { readFileSync } from 'node:fs'

/** Samples it until stopped. @returns what stops it and tells the most that there was, in MiB */
export function watchMemory(pid: () => number, everyMs = 100): () => number {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, residentOf(pid()))
  }, everyMs)
  return () => {
    clearInterval(timer)
    return Math.round(most / 2 ** 10)
  }
}

/** In KiB. Pages that several share are counted in each of them: it is rather more than less. */
function residentOf(pid: number): number {
  try {
    const own = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return children.reduce((sum, child) => sum + residentOf(Number(child)), own)
  } catch {
    // it has just ended
    return 0
  }
}

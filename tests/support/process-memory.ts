// Memory of a process and of everything it has started, as Linux counts it.
import { readdirSync, readFileSync } from 'node:fs'

export interface MostMemory {
  /** In MiB; pages that several processes share are divided among them. */
  own: number
  all: number
}

/** Samples it until stopped. @returns what stops it and tells the most that there was */
export function watchMemory(pid: () => number, everyMs = 250): () => MostMemory {
  let own = 0
  let all = 0
  const timer = setInterval(() => {
    own = Math.max(own, shareOf(pid()))
    all = Math.max(all, treeOf(pid()))
  }, everyMs)
  return () => {
    clearInterval(timer)
    return { own: Math.round(own / 2 ** 10), all: Math.round(all / 2 ** 10) }
  }
}

function treeOf(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + treeOf(child), shareOf(pid))
}

/** Whatever thread of it has started them. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    )
  } catch {
    // it has just ended
    return []
  }
}

/** In KiB. */
export function shareOf(pid: number): number {
  return memoryOf(pid, 'Pss')
}

/**
 * In KiB; 0 for a process that has ended. `Pss` divides pages that several processes share among them, `Rss` counts them for each,
 * `Anonymous` is without the pages of files.
 */
export function memoryOf(pid: number, field: 'Pss' | 'Rss' | 'Anonymous'): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0)
  } catch {
    return 0
  }
}

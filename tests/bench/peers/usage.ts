// Processor time and memory of processes with everything they have started, as Linux counts them.
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryOf } from '../../support/process-memory.ts'

/** USER_HZ, which the kernel fixes for user space. */
const TICKS_A_SECOND = 100

interface Process {
  parent: number
  /** Seconds, with those of children that have ended. */
  cpu: number
}

function processes(): Map<number, Process> {
  const all = new Map<number, Process>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // A zombie has ended; its parent, once it has waited for it, counts its time.
      if (fields[0] === 'Z') continue
      const ticks = fields.slice(11, 15).reduce((sum, value) => sum + Number(value), 0)
      all.set(Number(name), { parent: Number(fields[1]), cpu: ticks / TICKS_A_SECOND })
    } catch {
      // it has just ended
    }
  }
  return all
}

/** The given processes that still run, and all their descendants. */
export function treeOf(pids: readonly number[], all = processes()): number[] {
  const found = new Set(pids.filter((pid) => all.has(pid)))
  for (let size = -1; size !== found.size;) {
    size = found.size
    for (const [pid, { parent }] of all) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/** Seconds of processor time so far. */
export function cpuSeconds(pids: readonly number[]): number {
  const all = processes()
  return treeOf(pids, all).reduce((sum, pid) => sum + all.get(pid)!.cpu, 0)
}

/** In MiB. `Pss` divides pages that several processes share among them, `Rss` counts them for each. */
export function memoryMiB(pids: readonly number[], field: 'Rss' | 'Pss'): number {
  return treeOf(pids).reduce((sum, pid) => sum + memoryOf(pid, field) / 1_024, 0)
}

/** @returns a function that tells which share of the machine processes other than this one's tree have used since */
export function watchOthers(): () => number {
  const startedAt = performance.now()
  const before = busySeconds() - cpuSeconds([process.pid])
  return () => {
    const used = busySeconds() - cpuSeconds([process.pid]) - before
    return Math.max(0, used / (((performance.now() - startedAt) / 1_000) * availableParallelism()))
  }
}

/** Resolves when other processes use less than a tenth of the machine, or after ten seconds. */
export async function untilQuiet(): Promise<void> {
  for (let second = 0; second < 10; second += 1) {
    const others = watchOthers()
    await sleep(1_000)
    if (others() < 0.1) return
  }
}

/** Of all processors, without waiting for disks. */
function busySeconds(): number {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user! + nice! + system! + irq! + softirq!) / TICKS_A_SECOND
}

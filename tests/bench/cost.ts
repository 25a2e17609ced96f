// Processor time a turn, over all processes of an installation, and turns a second: short replies at 1, 8 and 32, long ones at 64.
import { readFileSync } from 'node:fs'
import { chat, ms, percentile, report, throughput } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10
const SHORT = { words: 20, gap_ms: 5 }
const LONG = { words: 300, gap_ms: 20 }

export async function cost(bench: Bench): Promise<void> {
  const { muxi } = bench
  await throughput(50, 8, (lane) => chat(muxi, `cost-warm-${lane}`, SHORT))
  for (const [atOnce, turns] of [
    [1, 50],
    [8, 300],
    [32, 600],
  ] as const) {
    await costOf(`short replies, ${atOnce} at once`, bench, muxi, turns, () =>
      throughput(turns, atOnce, (lane) => chat(muxi, `cost-${atOnce}-${lane}`, SHORT)),
    )
  }
  const lags: number[] = []
  await costOf('long replies, 64 at once', bench, muxi, 128, () =>
    throughput(128, 64, async (lane) => {
      lags.push(...(await chat(muxi, `long-${lane}`, LONG)).lags)
    }),
  )
  report('long replies: lag', `${ms(percentile(lags, 50))} p50, ${ms(percentile(lags, 99))} p99`)
}

async function costOf(what: string, bench: Bench, muxi: Muxi, turns: number, run: () => Promise<number>) {
  const pids = { Temporal: bench.temporal_pid, muxi: muxi.pid }
  const before = Object.values(pids).map(usedMs)
  const perSecond = await run()
  const used = Object.values(pids).map((pid, index) => (usedMs(pid) - before[index]!) / turns)
  const each = Object.keys(pids).map((name, index) => `${name} ${used[index]!.toFixed(1)}`)
  const total = used.reduce((sum, value) => sum + value, 0)
  report(what, `${perSecond.toFixed(1)} turns a second, ${ms(total)} of processor time a turn (${each.join(', ')})`)
}

/** User and system time of a process, in milliseconds. Linux only. */
function usedMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

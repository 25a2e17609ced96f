// Processor time a turn, over all processes of an installation, and turns a second: short replies at 1, 8 and 32, long ones at 64.
import { chat, ms, percentile, report, throughput } from './measure.ts'
import { cpuSeconds } from './peers/usage.ts'
import type { Bench, Muxi } from './processes.ts'

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

async function costOf(
  what: string,
  bench: Bench,
  muxi: Muxi,
  turns: number,
  run: () => Promise<number>,
): Promise<void> {
  const cost = measureCost({ Temporal: [bench.temporal_pid], muxi: [muxi.pid] })
  const perSecond = await run()
  report(what, `${perSecond.toFixed(1)} turns a second, ${cost(turns)}`)
}

/** @returns a function that tells the processor time used since, for each of so many turns, by groups of processes */
export function measureCost(groups: Record<string, readonly number[]>): (turns: number) => string {
  const before = Object.values(groups).map(cpuSeconds)
  return (turns) => {
    const used = Object.values(groups).map((pids, index) => ((cpuSeconds(pids) - before[index]!) * 1_000) / turns)
    const each = Object.keys(groups).map((name, index) => `${name} ${used[index]!.toFixed(1)}`)
    return `${ms(used.reduce((sum, value) => sum + value, 0))} of processor time a turn (${each.join(', ')})`
  }
}

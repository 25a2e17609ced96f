// `node tests/bench/runtimes.ts [node|deno…]`: the process in role all on each runtime: its start, its memory and its speed.
import { readFileSync } from 'node:fs'
import { residentMb } from '../../media/process/resident-memory.ts'
import type { Runtime } from '../support/children.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { percentile, throughput } from './measure.ts'

const TURNS = 500
const AT_ONCE = 8
const ONE_BY_ONE = 100

const wanted = process.argv.slice(2) as Runtime[]
for (const runtime of wanted.length > 0 ? wanted : (['node', 'deno'] as const)) await measure(runtime)
process.exit(0)

async function measure(runtime: Runtime): Promise<void> {
  const stage = await openStage({ env: { MUXI_LOG_LEVEL: 'error' } })
  try {
    // The first start makes the bundle of the workflows.
    await (await stage.start('all', { runtime })).stop()
    const startedAt = performance.now()
    const muxi = await stage.start('all', { runtime })
    report(runtime, 'start', `${(performance.now() - startedAt).toFixed(0)} ms`)
    report(runtime, 'resident, idle', await memoryOf(muxi))

    const first: number[] = []
    for (let turn = 0; turn < ONE_BY_ONE; turn += 1) first.push(await firstWord(stage, muxi, 'alone'))
    report(runtime, 'first word, one at a time', `${ms(percentile(first, 50))} p50, ${ms(percentile(first, 99))} p99`)
    const before = cpuSeconds(muxi)
    const aSecond = await throughput(TURNS - ONE_BY_ONE, AT_ONCE, (lane) => firstWord(stage, muxi, `lane-${lane}`))
    report(runtime, `turns a second, ${AT_ONCE} at once`, aSecond.toFixed(1))
    const perTurn = ((cpuSeconds(muxi) - before) / (TURNS - ONE_BY_ONE)) * 1_000
    report(runtime, 'processor time of a turn', ms(perTurn))
    report(runtime, `resident, after ${TURNS} turns`, await memoryOf(muxi))
    await muxi.stop()
  } finally {
    await stage.close()
  }
}

/** Asks the model that needs no network and hears it out. @returns milliseconds to the first word */
async function firstWord(stage: Stage, muxi: Muxi, user: string): Promise<number> {
  const startedAt = performance.now()
  const stream = await stage.chat(muxi.url, 'What time is it?', { agent: 'offline', user_id: user })
  await stream.waitFor('content')
  const first = performance.now() - startedAt
  await stream.untilFinal()
  return first
}

async function memoryOf({ pid }: Muxi): Promise<string> {
  return `${(await residentMb(pid))?.toFixed(0)} MiB`
}

/** Of all threads, so far; the kernel counts hundredths of a second. */
function cpuSeconds({ pid }: Muxi): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number)
  return (user! + system!) / 100
}

function report(runtime: Runtime, what: string, value: string): void {
  console.log(`${runtime.padEnd(6)} ${what.padEnd(34)} ${value}`)
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}

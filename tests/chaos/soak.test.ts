// Hours of one turn a second against the whole product: the memory of its processes stops growing.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { fitLine } from '../support/line-fit.ts'
import { childrenOf, shareOf } from '../support/process-memory.ts'
import { openStage, type Product, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const MINUTES = Number(process.env['MUXI_TEST_SOAK_MINUTES'] ?? 120)
const TURN_MS = 1_000
const SAMPLE_MS = 30_000
const PEOPLE = 50
/** What all may grow by within the second half, of their mean: 1 % for each 1,000 turns of two hours. */
const MOST_GROWTH = 0.04
/** The same of one kind of process, with room for what a collection more or less makes, in MiB. */
const ROOM_MIB = 8
/** A run shorter than this sees caches fill in its second half too: its growth is reported, not checked. */
const JUDGED_MINUTES = 60
const HOUR_MS = 3_600_000

interface Sample {
  /** Hours since the first turn. */
  hours: number
  /** Proportional memory by kind of process, in MiB. */
  memory: Record<string, number>
}

it.runIf(process.platform === 'linux')(
  `after the first half of ${MINUTES} minutes of a turn a second no process grows any more`,
  { timeout: (MINUTES + 10) * 60_000 },
  async () => {
    const stage = await openStage({ withoutTemporal: true })
    onTestFinished(() => stage.close())
    stage.model.otherwise({ say: manyWords('word', 20), pieces_per_second: 200 })
    const product = await stage.startProduct({ port: await freePort() })

    const samples: Sample[] = []
    const startedAt = Date.now()
    const end = startedAt + MINUTES * 60_000
    const sampling = (async () => {
      while (Date.now() < end) {
        await sleep(SAMPLE_MS)
        samples.push({ hours: (Date.now() - startedAt) / HOUR_MS, memory: memoryOf(stage, product) })
      }
    })()
    const turns: Promise<string>[] = []
    for (let turn = 0; Date.now() < end; turn += 1) {
      turns.push(ask(stage, product.url, turn))
      await sleep(Math.max(0, startedAt + (turn + 1) * TURN_MS - Date.now()))
    }
    const outcomes = await Promise.all(turns)
    await sampling

    const late = samples.filter(({ hours }) => hours >= MINUTES / 60 / 2)
    console.log(report(late, outcomes.length))
    expect(outcomes.filter((outcome) => outcome !== 'message_end')).toEqual([])
    const grown = Object.keys(late[0]!.memory).filter((name) => {
      const { mean, slope } = fitOf(late, name)
      const room = name === 'all' ? 0 : ROOM_MIB
      return slope * (MINUTES / 60 / 2) > Math.max(mean * MOST_GROWTH, room)
    })
    if (MINUTES >= JUDGED_MINUTES) expect(grown).toEqual([])
  },
)

/** @returns how the turn ended */
async function ask(stage: Stage, url: string, turn: number): Promise<string> {
  try {
    const client = await stage.chat(url, `Turn ${turn}`, { user_id: `person-${turn % PEOPLE}` })
    return (await client.untilFinal()).type
  } catch (error) {
    return String(error)
  }
}

function memoryOf(stage: Stage, product: Product): Record<string, number> {
  const app = product.appPid()
  const parts = {
    supervisor: shareOf(product.pid),
    application: shareOf(app),
    'its children': descendantsOf(app).reduce((sum, pid) => sum + shareOf(pid), 0),
    Temporal: stage.serverPids().reduce((sum, pid) => sum + shareOf(pid), 0),
  }
  const mib = Object.fromEntries(Object.entries(parts).map(([name, kib]) => [name, kib / 1_024]))
  return { ...mib, all: Object.values(mib).reduce((sum, each) => sum + each, 0) }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

function fitOf(samples: readonly Sample[], name: string) {
  return fitLine(samples.map(({ hours, memory }) => ({ x: hours, y: memory[name]! })))
}

/** A line by kind of process. What a day would add is only as good as a straight line through so short a time. */
function report(samples: readonly Sample[], turns: number): string {
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[1]
  const lines = Object.keys(samples[0]!.memory).map((name) => {
    const { mean, slope, slopeError } = fitOf(samples, name)
    const [growth, error] = [slope, 2 * slopeError].map((each) => each.toFixed(1))
    const day = (24 * slope).toFixed(0)
    const dayError = (24 * 2 * slopeError).toFixed(0)
    return `${name.padEnd(12)} ${mean.toFixed(0)} MiB on average, ${growth} ± ${error} MiB an hour; as a straight line over 24 hours ${day} ± ${dayError} MiB`
  })
  return [`${turns} turns, ${samples.length} samples of the second half, load ${load}`, ...lines].join('\n')
}

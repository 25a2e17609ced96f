// Idle MCP servers: the cost of supervising them, and whether it leaks.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openInspector } from './inspector.ts'
import { authorization, report } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

const AGENTS = 50
const SERVERS = 2
const SETTLED_MS = 15_000
const MEASURED_S = 60
const TICKS_A_SECOND = 100
/** In place of half a minute, so that thousands of pings do not take hours. */
const PING_MS = 500
const CHECKS = 2_000

export async function idle(bench: Bench): Promise<void> {
  const agents = Object.fromEntries(Array.from({ length: AGENTS }, (_, agent) => [`idle${agent}`, idler]))
  const installed = await bench.install('idle', { agents })
  const usual = await installed.start('all')
  try {
    await untilConnected(usual)
    await delay(SETTLED_MS)
    const pids = [usual.pid, bench.temporal_pid]
    const before = pids.map(cpuSeconds)
    await delay(MEASURED_S * 1_000)
    const [ours, engine] = pids.map((pid, index) => ((cpuSeconds(pid) - before[index]!) / MEASURED_S) * 100)
    report(
      `idle: ${AGENTS * SERVERS} MCP servers, pinged every 30 s`,
      `${ours!.toFixed(2)} % of a core in muxi (≤ 2), ${engine!.toFixed(2)} % in Temporal`,
    )
  } finally {
    await usual.stop()
  }
  const hasty = await installed.start('all', { MUXI_ENGINE_MCP_PING_MS: String(PING_MS) })
  try {
    await untilConnected(hasty)
    const inspector = await openInspector(hasty.inspector)
    const round = (CHECKS / (AGENTS * SERVERS)) * PING_MS
    const heaps: number[] = []
    // What is filled once is filled by then.
    await delay(SETTLED_MS + 2 * round)
    for (let thousands = 0; thousands <= 2; thousands += 1) {
      if (thousands > 0) await delay(round)
      const { heap, rss } = await inspector.heapAfterCollection()
      heaps.push(heap)
      report(
        `idle: memory after ${thousands * CHECKS} further pings`,
        `${(heap / 2 ** 20).toFixed(2)} MiB of heap, ${(rss / 2 ** 20).toFixed(0)} MiB resident, ${openFiles(hasty.pid)} open files`,
      )
    }
    inspector.close()
    report('idle: heap after the second 2,000 pings against the first', '', heaps[2]! / heaps[1]!, '≤ 1.02')
  } finally {
    await hasty.stop()
  }
}

const idler = {
  description: 'Idle.',
  system_message: 'Idle.',
  model: { provider: 'offline', model: 'offline' },
  mcp_servers: Array.from({ length: SERVERS }, (_, server) => ({
    name: `server${server}`,
    command: NODE,
    args: ['--max-old-space-size=32', FAULTY],
    // What is measured is watching them.
    idle_stop: 'never',
  })),
}

async function untilConnected({ url, key }: Muxi): Promise<void> {
  const startedAt = performance.now()
  const isConnected = async (agent: number) => {
    const response = await fetch(`${url}/api/v1/agents/idle${agent}/mcp_servers`, { headers: authorization(key) })
    const { mcp_servers } = (await response.json()) as { mcp_servers: { connected: boolean }[] }
    return mcp_servers.length === SERVERS && mcp_servers.every(({ connected }) => connected)
  }
  for (let agent = 0; agent < AGENTS; agent += 1) while (!(await isConnected(agent))) await delay(500)
  const seconds = (performance.now() - startedAt) / 1_000
  report('idle: until all of them are connected', `${seconds.toFixed(0)} s`)
}

/** CPU time that a process has used. Linux only. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

// What MCP servers cost that nobody calls: CPU time of the muxi process and of Temporal, over a minute. Arguments: agents, servers an agent.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openStage } from '../support/stage.ts'

const [agents = 50, servers = 2] = process.argv.slice(2).map(Number)
const MEASURED_S = 60
const TICKS_A_SECOND = 100

/** CPU time that a process has used, in seconds. Linux only. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

const described = Array.from({ length: agents }, (_, agent) => [
  `agent${agent}`,
  {
    description: 'Idle.',
    system_message: 'Idle.',
    model: { provider: 'offline', model: 'offline' },
    mcp_servers: Array.from({ length: servers }, (_, server) => ({
      name: `server${server}`,
      command: NODE,
      args: ['--max-old-space-size=32', FAULTY],
    })),
  },
])
const stage = await openStage({ agents: Object.fromEntries(described) as Record<string, object> })
try {
  const muxi = await stage.start('all')
  const count = async () => {
    const [row] = await stage.rows(`select count(*) as n from mcp_servers where state = 'connected'`)
    return Number(row?.['n'])
  }
  const startedAt = Date.now()
  while ((await count()) < agents * servers) await delay(500)
  console.log(`${agents * servers} servers connected after ${Math.round((Date.now() - startedAt) / 1_000)} s`)
  await delay(10_000)
  const pids = { muxi: muxi.pid, temporal: stage.temporal!.pid }
  const before = Object.values(pids).map(cpuSeconds)
  await delay(MEASURED_S * 1_000)
  for (const [index, [name, pid]] of Object.entries(pids).entries()) {
    const share = ((cpuSeconds(pid) - before[index]!) / MEASURED_S) * 100
    console.log(`${name}: ${share.toFixed(2)} % of a core`)
  }
} finally {
  await stage.close()
}
process.exit(0)

// What the API adds to a bare route of the same server, how many requests of each class it takes, and whether limits are exact.
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { load, type Load, type LoadOptions } from './load.ts'
import { authorization, ms, percentile, report } from './measure.ts'
import { cpuSeconds } from './peers/usage.ts'
import { startScript, type Bench, type Muxi } from './processes.ts'

const READS = 6_000
const WRITES = 2_000
const CHATS = 200
const CONNECTIONS = 8
const ROUNDS = 9
const UNLIMITED = '900000/60'
const AGENTS = 3
/** A bucket that refills once a minute. */
const BURST = { requests: 100, seconds: 6_000 }
const PROCESSES = 4
const ATTEMPTS = 1_000
const ATTEMPTS_MS = 5_000

export async function api(bench: Bench): Promise<void> {
  const agent = { description: 'Answers.', system_message: 'Answer.', model: { provider: 'offline', model: 'offline' } }
  const agents = Object.fromEntries(Array.from({ length: AGENTS }, (_, n) => [`agent${n}`, agent]))
  const installed = await bench.install('api', { agents })
  const limits = { MUXI_RATE_READ: UNLIMITED, MUXI_RATE_WRITE: UNLIMITED, MUXI_RATE_CHAT: UNLIMITED }
  const muxi = await installed.start('all', limits)
  try {
    await againstBareRoute(muxi)
    await eachClass(muxi)
    const others = await Promise.all(Array.from({ length: PROCESSES - 1 }, () => installed.start('api', limits)))
    await exactLimit([muxi, ...others])
    await Promise.all(others.map((other) => other.stop()))
  } finally {
    await muxi.stop()
  }
}

async function againstBareRoute(muxi: Muxi): Promise<void> {
  const path = '/api/v1/agents'
  const headers = authorization(muxi.key)
  const json = await (await fetch(muxi.url + path, { headers })).text()
  const bare = await startScript(fileURLToPath(new URL('bare-route.ts', import.meta.url)), [path, json], process.env)
  const read = (url: string, connections: number, total = READS) =>
    load({ url, headers, total, connections, request: () => ({ path }) })
  const [direct, ours]: [Load[], Load[]] = [[], []]
  const [alone, oursAlone]: [Load[], Load[]] = [[], []]
  const used = { bare: 0, muxi: 0 }
  const measured = async (pid: number, name: keyof typeof used, work: Promise<Load>) => {
    const before = cpuSeconds([pid])
    const done = await work
    used[name] += cpuSeconds([pid]) - before
    return done
  }
  await read(bare.ready.url, CONNECTIONS)
  await read(muxi.url, CONNECTIONS)
  // In turns, so that a busy moment of the machine meets both.
  for (let round = 0; round < ROUNDS; round += 1) {
    direct.push(await measured(bare.pid, 'bare', read(bare.ready.url, CONNECTIONS)))
    ours.push(await measured(muxi.pid, 'muxi', read(muxi.url, CONNECTIONS)))
    alone.push(await read(bare.ready.url, 1, READS / 5))
    oursAlone.push(await read(muxi.url, 1, READS / 5))
  }
  await bare.stop()
  expectStatus(200, ...direct, ...ours)
  const [a, b] = [median(direct), median(ours)]
  report('GET /agents, requests a second, 8 at once', `${b.toFixed(0)} against ${a.toFixed(0)} bare`, b / a, '≥ 0.25')
  const perRequest = (seconds: number) => `${((seconds / (ROUNDS * READS)) * 1e6).toFixed(0)} µs`
  report('GET /agents, processor time', `${perRequest(used.muxi)} against ${perRequest(used.bare)}`)
  const [p, q] = [Math.min(...alone.map(({ p50 }) => p50)), Math.min(...oursAlone.map(({ p50 }) => p50))]
  const added = `${ms(q - p)} (${ms(q)} against ${ms(p)})`
  report('GET /agents, added to p50, one at a time', `${added} (≤ 2 ms)`)
}

async function eachClass({ url, key }: Muxi): Promise<void> {
  const headers = authorization(key, 'application/json')
  const post = async (path: string, body: object) => {
    const answer = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await answer.json()) as { id: string; turn_id: string }
  }
  const { id } = await post('/conversations', { agent_id: 'agent0' })
  const { turn_id } = await post('/agents/agent0/chat', { content: 'Hello' })
  const chat = { content: 'Hello', background: true }
  const common = { url, headers, connections: CONNECTIONS }
  const classes: [string, number, LoadOptions][] = [
    ['read: GET /agents', 200, { ...common, total: READS, request: () => ({ path: '/api/v1/agents' }) }],
    ['read: GET /turns/{id}', 200, { ...common, total: READS, request: () => ({ path: `/api/v1/turns/${turn_id}` }) }],
    [
      'write: POST /conversations',
      201,
      {
        ...common,
        method: 'POST',
        total: WRITES,
        request: () => ({ path: '/api/v1/conversations', body: { agent_id: 'agent0' } }),
      },
    ],
    [
      'write: PATCH /conversations/{id}',
      200,
      {
        ...common,
        method: 'PATCH',
        total: WRITES,
        request: (n) => ({ path: `/api/v1/conversations/${id}`, body: { title: `Number ${n}` } }),
      },
    ],
    [
      'chat: POST /agents/{id}/chat, in the background',
      202,
      {
        ...common,
        method: 'POST',
        total: CHATS,
        request: (n) => ({ path: '/api/v1/agents/agent0/chat', body: { ...chat, user_id: `user${n}` } }),
      },
    ],
  ]
  for (const [name, status, options] of classes) {
    const seen = await load(options)
    expectStatus(status, seen)
    report(`${name}, 8 at once`, `${seen.a_second.toFixed(0)} a second, ${ms(seen.p50)} p50, ${ms(seen.p99)} p99`)
  }
}

/** Writes to several processes at once: as many as the bucket holds get through. */
async function exactLimit(processes: Muxi[]): Promise<void> {
  const [{ url, key }] = processes as [Muxi]
  const made = await fetch(`${url}/api/v1/keys`, {
    method: 'POST',
    headers: authorization(key, 'application/json'),
    body: JSON.stringify({ name: 'limited', scopes: ['admin'], rate_limits: { write: BURST } }),
  })
  const headers = authorization(((await made.json()) as { key: string }).key, 'application/json')
  const rounds = 10
  const each = ATTEMPTS / rounds / processes.length
  const statuses: Record<string, number> = {}
  const startedAt = performance.now()
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      processes.map(async (process) => {
        const seen = await load({
          url: process.url,
          method: 'POST',
          headers,
          total: each,
          connections: CONNECTIONS,
          request: () => ({ path: '/api/v1/conversations', body: { agent_id: 'agent0' } }),
        })
        for (const [status, n] of Object.entries(seen.statuses)) statuses[status] = (statuses[status] ?? 0) + n
      }),
    )
    await delay(Math.max(0, startedAt + ((round + 1) * ATTEMPTS_MS) / rounds - performance.now()))
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  report(
    `burst of ${BURST.requests}, 1 a minute: ${ATTEMPTS} writes over ${processes.length} processes`,
    `${statuses[201] ?? 0} got through, ${statuses[429] ?? 0} were refused in ${seconds} s (exactly 100)`,
  )
}

/** Of several rounds, so that neither a lucky nor a disturbed one counts. */
const median = (loads: Load[]) =>
  percentile(
    loads.map(({ a_second }) => a_second),
    50,
  )

function expectStatus(status: number, ...loads: Load[]): void {
  for (const { statuses } of loads)
    if (Object.keys(statuses).join() !== String(status))
      throw new Error(`not all ${status}: ${JSON.stringify(statuses)}`)
}

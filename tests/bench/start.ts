// `node tests/bench/start.ts [node|deno…]`: `npm start` with data there, from npm until it serves, and what the supervisor keeps in memory.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { childrenOf } from '../support/stage.ts'
import { type Runtime, ROOT } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { percentile } from './measure.ts'

const STARTS = 5
/** The supervisor's memory is read so long after it serves, in milliseconds. */
const SETTLED_MS = 3_000
const SCRIPTS: Record<Runtime, string> = { node: 'start', deno: 'start:deno' }

const wanted = process.argv.slice(2) as Runtime[]
for (const runtime of wanted.length > 0 ? wanted : (['node', 'deno'] as const)) await measure(runtime)
process.exit(0)

async function measure(runtime: Runtime): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-start-'))
  const env = { ...process.env, MUXI_DATA_DIR: folder, MUXI_PORT: String(await freePort()) }
  await start(runtime, env) // makes the data and fills the caches
  const starts: Awaited<ReturnType<typeof start>>[] = []
  for (let count = 0; count < STARTS; count += 1) starts.push(await start(runtime, env))
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  const median = (of: (each: (typeof starts)[number]) => number) => percentile(starts.map(of), 50)
  console.log(`${runtime}: Temporal server serves after ${median(({ server }) => server).toFixed(0)} ms`)
  console.log(`${runtime}: ready after ${median(({ ready }) => ready).toFixed(0)} ms (≤ 3000)`)
  console.log(`${runtime}: answers at /healthz after ${median(({ healthy }) => healthy).toFixed(0)} ms`)
  console.log(`${runtime}: proportional memory of the supervisor ${median(({ mib }) => mib).toFixed(1)} MiB`)
}

/** One start and its end; times in milliseconds from the start of npm. */
async function start(runtime: Runtime, env: Record<string, string | undefined>) {
  const startedAt = performance.now()
  const child = spawn('npm', ['run', '--silent', SCRIPTS[runtime]], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  let server = Number.NaN
  const ready = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('Temporal server (process')) server = performance.now() - startedAt
      if (line === 'muxi is ready') resolve(performance.now() - startedAt)
    })
    void ended.then(() => reject(new Error(`npm run ${SCRIPTS[runtime]} ended before it was ready`)))
  })
  await untilHealthy(env['MUXI_PORT']!)
  const healthy = performance.now() - startedAt
  await delay(SETTLED_MS)
  const [supervisor = 0] = childrenOf(child.pid!)
  const mib = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${supervisor}/smaps_rollup`, 'utf8'))?.[1]) / 1024
  child.kill('SIGTERM')
  await ended
  return { server, ready, healthy, mib }
}

async function untilHealthy(port: string): Promise<void> {
  while (
    !(await fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await delay(10)
}

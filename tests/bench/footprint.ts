// Memory of what `npm start` runs, by kind of process, in MiB (proportional: pages that processes share are divided among them):
// idle, after each thousand turns, and a minute after the last. `npm run bench:footprint [-- turns]`; stop other work of this Node first.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/free-port.ts'
import { shareOf } from '../support/process-memory.ts'
import { chat, report, throughput } from './measure.ts'
import { cpuSeconds, treeOf } from './peers/usage.ts'

const KEY = 'sk_muxi_bench_key'
const AT_ONCE = 16
const SHORT = { words: 20, gap_ms: 5 }
const IDLE_MS = 120_000
const AFTER_MS = 60_000
const START_MS = 300_000
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** By what stands in the command line of a process. The first that fits counts. */
const KINDS: [name: string, pattern: RegExp][] = [
  ['Temporal server', /server start-dev/],
  ['application', /cli\/process\.ts/],
  ['npm, set-up, supervisor', /^npm |cli\/setup\.mjs|cli\/muxi\.mjs serve/],
  ['MCP servers and other children', /./],
]

await (process.env['MUXI_BENCH_COPY'] ? measure() : runCopy())

/** This and the model run on a copy of Node's binary: with the same file its pages would be divided among more processes. */
async function runCopy(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  try {
    const copy = join(folder, 'node')
    copyFileSync(process.execPath, copy)
    const env = { ...process.env, MUXI_BENCH_COPY: folder }
    const { status } = spawnSync(copy, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      env,
      stdio: 'inherit',
    })
    process.exitCode = status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(): Promise<void> {
  const thousands = Number(process.argv[2] ?? 4_000) / 1_000
  const folder = process.env['MUXI_BENCH_COPY']!
  const model = await startModel()
  const product = await startProduct(folder, model.url)
  try {
    await sleep(IDLE_MS)
    tell('2 minutes after the start', product.pid)
    const user = { url: product.url, key: KEY } as Parameters<typeof chat>[0]
    for (let thousand = 1; thousand <= thousands; thousand += 1) {
      const before = cpuSeconds([product.pid])
      const perSecond = await throughput(1_000, AT_ONCE, async (lane) => {
        const { ended } = await chat(user, `footprint-${lane}`, SHORT)
        if (ended !== 'message_end') throw new Error(`A turn ended with '${ended}'`)
      })
      const cpu = cpuSeconds([product.pid]) - before
      tell(
        `after ${thousand},000 turns`,
        product.pid,
        `${perSecond.toFixed(1)} turns/s, ${cpu.toFixed(1)} ms of processor time a turn`,
      )
    }
    await sleep(AFTER_MS)
    tell('a minute later', product.pid)
  } finally {
    await product.stop()
    await model.stop()
  }
}

function tell(when: string, pid: number, more = ''): void {
  const sums = new Map(KINDS.map(([name]) => [name, 0]))
  for (const each of treeOf([pid])) {
    const name = KINDS.find(([, pattern]) => pattern.test(commandLine(each)))?.[0]
    // A process that has just ended has no command line.
    if (name) sums.set(name, sums.get(name)! + shareOf(each) / 1_024)
  }
  const all = [...sums.values()].reduce((sum, value) => sum + value, 0)
  const parts = [...sums].map(([name, value]) => `${name} ${value.toFixed(0)}`).join(', ')
  report(`footprint: ${when}`, `${all.toFixed(0)} MiB (${parts})${more === '' ? '' : `; ${more}`}`)
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

async function startModel() {
  const child = spawn(process.execPath, [join(ROOT, 'tests/bench/paced-model.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('ready ')) continue
    const { url } = JSON.parse(line.slice(6)) as { url: string }
    return { url, stop: () => ended(child, 'SIGTERM') }
  }
  throw new Error('The model did not start')
}

/** As a user starts it, with the example agents and one more. */
async function startProduct(folder: string, model: string) {
  const agents = join(folder, 'agents')
  cpSync(join(ROOT, 'agents'), agents, { recursive: true })
  const measured = {
    description: 'measured',
    system_message: 'none',
    model: { provider: 'openai', model: 'paced', base_url: `${model}/v1` },
  }
  writeFileSync(join(agents, 'bench.json'), JSON.stringify(measured))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = {
    ...process.env,
    MUXI_DATA_DIR: join(folder, 'data'),
    MUXI_AGENTS_DIR: agents,
    MUXI_PORT: String(port),
    MUXI_API_KEY: KEY,
    MUXI_LIMIT_TURNS_PER_USER: '1000',
    MUXI_LIMIT_TURNS_PER_KEY: '1000',
  }
  const start = async () => {
    const startedAt = performance.now()
    const child = spawn('npm', ['start'], { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'inherit'] })
    while (
      !(await fetch(`${url}/healthz`).then(
        (response) => response.ok,
        () => false,
      ))
    ) {
      if (child.exitCode !== null || performance.now() - startedAt > START_MS)
        throw new Error('Cannot start the product')
      await sleep(10)
    }
    return { child, seconds: (performance.now() - startedAt) / 1_000 }
  }
  const first = await start()
  await ended(first.child, 'SIGINT')
  const second = await start()
  report('footprint: start until ready', `first ${first.seconds.toFixed(1)} s, second ${second.seconds.toFixed(1)} s`)
  return { url, pid: second.child.pid!, stop: () => ended(second.child, 'SIGINT') }
}

/** Sends a signal and waits for the end. */
async function ended(child: ReturnType<typeof spawn>, signal: NodeJS.Signals): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await exit
}

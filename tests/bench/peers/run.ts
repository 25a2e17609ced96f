// `npm run bench:peers`: what an agent server adds to its model, ours and others on the same scripted model, in one run.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Host } from './host.ts'
import { installPeer } from './install.ts'
import { measureDirect, measurePeer } from './measure-peer.ts'
import { type Peer, PEERS, versionOf } from './peers.ts'
import { HELP, readPlan } from './plan.ts'
import { observeKill } from './survival.ts'
import { type DirectResult, type Figures, median, type PeerResult, tables } from './tables.ts'
import { untilQuiet } from './usage.ts'

if (process.argv.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}
const known = PEERS.map(({ name }) => name)
const plan = readPlan(process.argv.slice(2), known)
const wanted = PEERS.filter(({ name }) => plan.peers.includes(name))
for (const folder of new Set(wanted.flatMap(({ packages }) => packages ?? []))) installPeer(folder)

let host: Host | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.resolve(host?.close()).finally(() => process.exit(1)))
}
const modelUrl = await startModel()
const direct: DirectResult = { first_p50: [], per_second: {}, long_per_second: [] }
const results = new Map<Peer, PeerResult>()
for (const peer of wanted) {
  results.set(peer, { title: peer.title.replace('{version}', versionOf(peer)), rounds: [] })
}
for (let round = 1; round <= plan.rounds; round += 1) {
  await untilQuiet()
  await measureDirect(modelUrl, plan, direct)
  for (const [peer, result] of results) {
    if (result.failed === undefined) await measureRound(peer, result, round)
  }
}
report([...results.values()])
process.exit([...results.values()].some(({ failed }) => failed !== undefined) ? 1 : 0)

async function measureRound(peer: Peer, result: PeerResult, round: number): Promise<void> {
  await untilQuiet()
  host = new Host(peer.name, modelUrl)
  try {
    const url = await peer.start(host)
    const figures = await measurePeer(peer, host, url, plan, direct)
    result.rounds.push(figures)
    console.error(`round ${round} of ${plan.rounds}, ${peer.name}: ${summary(figures)}`)
    // Once is enough: it is not measured.
    if (round > 1) return
    result.survival = await observeKill(peer, host, url)
    console.error(`killed, ${peer.name}: ${JSON.stringify(result.survival)}`)
  } catch (error) {
    result.failed = error instanceof Error ? error.message : String(error)
    console.error(`round ${round} of ${plan.rounds}, ${peer.name}: failed: ${result.failed}`)
  } finally {
    await host.close()
  }
}

function summary(figures: Figures): string {
  const { added_first_p50, per_second, cpu_per_turn, long, errors, long_errors, others } = figures
  const rates = Object.values(per_second).map((rate) => rate.toFixed(1))
  const wrong = [...errors, ...long_errors]
  return [
    `+${added_first_p50.toFixed(1)} ms, ${rates.join(', ')} turns/s, ${cpu_per_turn.toFixed(1)} ms CPU`,
    `long ${long.per_second.toFixed(1)} turns/s, ${long.cpu_per_turn.toFixed(0)} ms CPU`,
    `other processes ${percent(others)}`,
    `${wrong.length} errors ${wrong[0] ?? ''}`,
  ].join('; ')
}

function report(peers: PeerResult[]): void {
  console.log(tables(plan, direct, peers))
  const others = peers.flatMap(({ rounds }) => rounds.map((each) => each.others))
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.version}`
  const foreign = `processes outside the benchmark used ${percent(median(others))} of the machine, ${percent(Math.max(...others))} at most`
  console.log(`\n${machine}, ${new Date().toISOString().slice(0, 10)}; ${foreign}.`)
  if (plan.json) writeFileSync(plan.json, `${JSON.stringify({ plan, direct, peers }, null, 2)}\n`)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

/** In a process of its own, which ends with this one. @returns its address */
async function startModel(): Promise<string> {
  const script = fileURLToPath(new URL('scripted-model.ts', import.meta.url))
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready ')) return JSON.parse(line.slice(6)).url
  }
  throw new Error('the scripted model ended before it was ready')
}

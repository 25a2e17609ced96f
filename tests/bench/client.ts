// The package @muxi/client as a page or a project gets it: bytes, and the processor time of checking a project's types. And how long
// the package muxi takes to start in a process.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../support/children.ts'
import { CORE_PAGE, installClient, SOCKET_CHUNKS, sizeOf, TYPED_PROJECT } from '../support/client-package.ts'
import { report } from './measure.ts'

const RUNS = 5

/** Builds and installs the package, and measures it. */
export async function client(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-client-'))
  try {
    const { project } = await installClient(folder)
    const core = await sizeOf(project, CORE_PAGE)
    const withSocket = await sizeOf(project, CORE_PAGE, SOCKET_CHUNKS)
    report('client: loaded at once, minified, gzip', `${core} bytes`, undefined, 'at most 8 KiB')
    report('client: with the socket', `${withSocket} bytes`, undefined, 'at most 12 KiB')
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(TYPED_PROJECT))
    const programs = {
      nothing: 'export {}\n',
      client: "import { muxi } from '@muxi/client'\nawait muxi({ serverUrl: '' }).chat('Hello')\n",
    }
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(project, 'main.ts'), text)
      const times = Array.from({ length: RUNS }, () => secondsOf(project)).toSorted((a, b) => a - b)
      report(
        `types of a project that imports ${name}`,
        `${times[0]!.toFixed(2)} s of processor time`,
        undefined,
        'at most 2',
      )
    }
    measureStart(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const START = `const { muxi } = await import(${JSON.stringify(join(ROOT, 'embedded/index.ts'))})
const app = muxi()
await app.ready()
console.log(JSON.stringify({ ms: performance.now(), cpu_ms: (process.cpuUsage().user + process.cpuUsage().system) / 1e3 }))
await app[Symbol.asyncDispose]()`

/** From the start of a program until it can chat: in new data folders, and in one that is there. */
function measureStart(folder: string): void {
  const begin = (name: string): { ms: number; cpu_ms: number } => {
    const cwd = join(folder, name)
    mkdirSync(join(cwd, 'agents'), { recursive: true })
    const agent = { description: 'Helps.', system_message: 'Help.', model: { provider: 'offline', model: 'offline' } }
    writeFileSync(join(cwd, 'agents/offline.json'), JSON.stringify(agent))
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', START], {
      cwd,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`Cannot start: ${stderr}`)
    return JSON.parse(stdout) as { ms: number; cpu_ms: number }
  }
  // What is made once for the installation: compiled code, and the bundle of workflows.
  begin('first')
  for (const [what, name] of [
    ['in a new data folder', (run: number) => `new ${run}`],
    ['again', () => 'first'],
  ] as const) {
    const [best] = Array.from({ length: RUNS }, (_, run) => begin(name(run))).toSorted((a, b) => a.ms - b.ms)
    const { ms, cpu_ms } = best!
    const seen = `${(ms / 1_000).toFixed(2)} s, ${(cpu_ms / 1_000).toFixed(2)} s of processor time`
    report(`start in a process, ${what}`, seen, undefined, 'at most 3 s')
  }
}

/** Processor time of a run of `tsc` from its start to its end. */
function secondsOf(project: string): number {
  const tsc = join(ROOT, 'node_modules/typescript/lib/_tsc.js')
  const script = `process.on('exit', () => console.log(Object.values(process.cpuUsage()).reduce((a, b) => a + b) / 1e6))
process.argv = [process.execPath, 'tsc', '-p', ${JSON.stringify(project)}]
require(${JSON.stringify(tsc)})`
  const { status, stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Cannot check the types: ${stdout}`)
  return Number(stdout)
}

if (import.meta.main) await client()

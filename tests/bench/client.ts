// The package @muxi/client as a page or a project gets it: bytes, and the processor time of checking a project's types.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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
  } finally {
    rmSync(folder, { recursive: true, force: true })
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

// The workflow code as one script for Temporal's sandbox, bundled once per change and kept in the data folder.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { WorkflowBundlePath } from '@temporalio/worker'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUNDLER = fileURLToPath(new URL('bundle-workflows.ts', import.meta.url))
/** Folders whose code may stand in the bundle. */
const SOURCES = ['workflows', 'contracts']

/**
 * The bundle for the present sources; takes seconds the first time and milliseconds after that.
 * @throws Error with what the bundler said
 */
export async function workflowBundle(cacheDir: string): Promise<WorkflowBundlePath> {
  const file = join(cacheDir, `workflows-${hashSources()}.js`)
  if (!existsSync(file)) {
    mkdirSync(cacheDir, { recursive: true })
    const flags = 'Deno' in globalThis ? ['run', '-A', '--node-modules-dir=manual'] : []
    await promisify(execFile)(process.execPath, [...flags, BUNDLER, file]).catch((cause: Error) => {
      throw new Error(`Cannot bundle the workflows: ${cause.message}`, { cause })
    })
  }
  return { codePath: file }
}

function hashSources(): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')))
  for (const folder of SOURCES) {
    for (const name of readdirSync(join(ROOT, folder)).toSorted()) {
      if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(ROOT, folder, name)))
    }
  }
  return hash.digest('hex').slice(0, 16)
}

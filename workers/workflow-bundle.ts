// The workflow code as one script for Temporal's sandbox, bundled once per change and kept beside the installed packages.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { WorkflowBundlePath } from '@temporalio/worker'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUNDLER = fileURLToPath(new URL('bundle-workflows.ts', import.meta.url))
/** With the compiled code of `cli/muxi.mjs`: one bundle serves every data folder. */
export const INSTALLED_CACHE = join(ROOT, 'node_modules/.cache/muxi')
/** Folders whose code may stand in the bundle. */
const SOURCES = ['workflows', 'contracts']

/**
 * The bundle for the present sources; takes seconds the first time and milliseconds after that.
 * @param otherwise the folder that it is kept in when the installation is read-only
 * @throws Error with what the bundler said
 */
export async function workflowBundle(otherwise: string): Promise<WorkflowBundlePath> {
  const name = `workflows-${hashSources()}.js`
  const known = [INSTALLED_CACHE, otherwise].map((folder) => join(folder, name)).find((file) => existsSync(file))
  if (known !== undefined) return { codePath: known }
  const folder = isWritable(INSTALLED_CACHE) ? INSTALLED_CACHE : otherwise
  mkdirSync(folder, { recursive: true })
  const file = resolve(folder, name)
  const flags = 'Deno' in globalThis ? ['run', '-A', '--node-modules-dir=manual'] : []
  // The names of modules in it are relative to the working directory.
  await promisify(execFile)(process.execPath, [...flags, BUNDLER, file], { cwd: ROOT }).catch((cause: Error) => {
    throw new Error(`Cannot bundle the workflows: ${cause.message}`, { cause })
  })
  return { codePath: file }
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
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

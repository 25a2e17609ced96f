// What tests share with the installation instead of making it once a test: compiled code, and the workflow bundle.
import { copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { workflowBundle } from '../../workers/workflow-bundle.ts'

/** Also the compile cache of `cli/muxi.mjs`. */
export const SHARED_CACHE = fileURLToPath(new URL('../../node_modules/.cache/muxi', import.meta.url))

/** Puts the workflow bundle where a worker on this data folder looks for it: bundling costs two seconds of processor time. */
export async function copyBundle(dataDir: string): Promise<void> {
  const { codePath } = await workflowBundle(SHARED_CACHE)
  const folder = join(dataDir, 'cache')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  copyFileSync(codePath, join(folder, basename(codePath)))
}

// The workflow code as one script for Temporal's sandbox, bundled once per change and kept in the data folder.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundlePath } from '@temporalio/worker'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Folders whose code may be in the bundle. */
const SOURCES = ['workflows', 'contracts']

/** The bundle for the current sources; takes seconds the first time and milliseconds after that. */
export async function workflowBundle(cacheDir: string): Promise<WorkflowBundlePath> {
  const file = join(cacheDir, `workflows-${hashSources()}.js`)
  if (!existsSync(file)) {
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(ROOT, 'workflows/index.ts'),
      logger: new DefaultLogger('WARN'),
    })
    mkdirSync(cacheDir, { recursive: true })
    const partial = `${file}.${process.pid}`
    writeFileSync(partial, code)
    renameSync(partial, file)
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

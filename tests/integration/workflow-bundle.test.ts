// The workflow bundle: small, and nothing in it that is not ours or the SDK's.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { workflowBundle } from '../../workers/workflow-bundle.ts'

/** What the SDK brings along. A schema library, a query builder or a provider here would add 1 to 2 MB without a warning. */
const KNOWN = new Set(['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc'])

test('the workflow bundle contains our workflows, the SDK and no other package', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'muxi-bundle-'))
  try {
    const { codePath } = await workflowBundle(cache)
    const code = readFileSync(codePath, 'utf8')
    const modules = [...code.matchAll(/^\/\*\*\*\/ "\.\/(\S+?)"/gm)].map(([, module]) => module!)
    const packages = modules
      .filter((module) => module.startsWith('node_modules/'))
      .map((module) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module)![1]!)
    const ours = modules.filter((module) => !module.startsWith('node_modules/'))
    expect(ours).toContain('workflows/chat-turn.ts')
    expect([...new Set(packages)].filter((name) => !KNOWN.has(name))).toEqual([])
    expect(
      ours.filter((module) => !/^(workflows|contracts)\//.test(module) && !module.startsWith('__temporal')),
    ).toEqual([])
  } finally {
    rmSync(cache, { recursive: true })
  }
})

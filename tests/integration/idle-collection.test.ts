// What a burst leaves in the heap of a process, given back while the process is quiet.
import { expect, onTestFinished, test } from 'vitest'
import { ROOT, type Runtime, startChild } from '../support/children.ts'

test.each<Runtime>(['node', 'deno'])(
  'a quiet process on %s gives back what a burst has left in its heap, once it has few readers',
  async (runtime) => {
    const child = startChild({ script: 'tests/support/heap-after-burst.ts', cwd: ROOT, runtime })
    onTestFinished(() => child.kill())
    const grown = Number((await child.says(/^grown (\d+)/m))[1])
    expect(grown).toBeGreaterThan(60)
    const [before = ''] = (await child.says(/^[^]*^left$/m)) as string[]
    for (const [, mib] of before.matchAll(/^heap (\d+)/gm)) expect(Number(mib)).toBeGreaterThan(grown / 3)
    const heaps = () => [...child.stdout().matchAll(/^heap (\d+)/gm)].map(([, mib]) => Number(mib))
    await expect.poll(() => heaps().at(-1) ?? grown).toBeLessThan(grown / 3)
  },
)

// 500 turns over three vendors under random faults, on both databases.
import { expect, it } from 'vitest'
import { dialects } from '../support/dialects.ts'
import { runFallbacks } from '../support/fallback-run.ts'
import { WireDouble } from '../support/wire-double.ts'

for (const dialect of dialects)
  it(`${dialect.name}: each turn ends once, and costs what its calls cost`, async () => {
    const double = await WireDouble.start()
    const storage = await (await dialect.fresh()).open()
    const { completed, answered_by } = await runFallbacks(storage, double, 500, 23)
    expect(completed).toBeGreaterThan(400)
    expect(answered_by.size).toBe(3)
    await double.stop()
  }, 600_000)

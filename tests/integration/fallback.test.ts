// Fallback across three vendors on the wire, under random faults; tests/chaos/fallback.test.ts runs it longer.
import { expect, it } from 'vitest'
import { dialects } from '../support/dialects.ts'
import { runFallbacks } from '../support/fallback-run.ts'
import { WireDouble } from '../support/wire-double.ts'

it('50 turns over three vendors: each ends once, and costs what its calls cost', async () => {
  const double = await WireDouble.start()
  const storage = await (await dialects[0]!.fresh()).open()
  const { completed, answered_by } = await runFallbacks(storage, double, 50, 17)
  expect(completed).toBeGreaterThan(40)
  expect([...answered_by].toSorted()).toEqual(['anthropic', 'gemini', 'openai'])
  await double.stop()
}, 60_000)

// The schedule of a nemesis.
import { expect, it } from 'vitest'
import { strikesOf } from '../support/nemesis.ts'

const CHANCES = [
  { victim: 'api', weight: 1 },
  { victim: 'worker', weight: 3 },
]

it('strikes as the seed says, and a longer run begins as a shorter one does', () => {
  const short = strikesOf(7, 60_000, CHANCES)
  expect(strikesOf(7, 60_000, CHANCES)).toEqual(short)
  expect(strikesOf(7, 300_000, CHANCES).slice(0, short.length)).toEqual(short)
  expect(strikesOf(8, 60_000, CHANCES)).not.toEqual(short)
})

it('strikes every process in every way, every few seconds', () => {
  const strikes = strikesOf(1, 600_000, CHANCES)
  expect(new Set(strikes.map(({ victim, how }) => `${how} ${victim}`)).size).toBe(4)
  for (const [index, { at_ms }] of strikes.entries()) {
    const since = at_ms - (strikes[index - 1]?.at_ms ?? 0)
    expect(since).toBeGreaterThanOrEqual(3_000)
    expect(since).toBeLessThanOrEqual(8_000)
  }
})

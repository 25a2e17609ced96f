// Counting the words of a question: common ones once in a while, rare ones each time.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WordCounts } from '../../db/vectors/word-counts.ts'

let chunks: Record<string, number>
let counted: string[]
let counts: WordCounts
const asked = (...words: string[]) =>
  counts.count('here', words, async (unknown) => {
    counted.push(...unknown)
    return unknown.map((word) => ({ asked: word, word, chunks: chunks[word] ?? 0 }))
  })

beforeEach(() => {
  vi.useFakeTimers()
  chunks = { ship: 900, lighthouse: 3, keeper: 3 }
  counted = []
  counts = new WordCounts(400)
})
afterEach(() => void vi.useRealTimers())

test('the rarest comes first, of equals the longer; what stands nowhere is left out', async () => {
  const found = await asked('ship', 'keeper', 'whale', 'lighthouse')
  expect(found.map(({ word }) => word)).toEqual(['lighthouse', 'keeper', 'ship'])
})

test('a common word is counted once a minute, a rare one each time', async () => {
  await asked('ship', 'keeper')
  chunks['keeper'] = 5
  expect(await asked('ship', 'keeper')).toEqual([
    { word: 'keeper', chunks: 5 },
    { word: 'ship', chunks: 900 },
  ])
  expect(counted).toEqual(['ship', 'keeper', 'keeper'])
  vi.advanceTimersByTime(60_000)
  await asked('ship')
  expect(counted.at(-1)).toBe('ship')
})

test('what is common in one place is counted anew in another', async () => {
  await asked('ship')
  await counts.count('there', ['ship'], async (unknown) => {
    counted.push(...unknown)
    return []
  })
  expect(counted).toEqual(['ship', 'ship'])
})

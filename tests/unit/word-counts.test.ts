// Counting the words of a question: common ones once in a while, rare ones each time.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WordCounts } from '../../vectors/word-counts.ts'

let chunks: Record<string, number>
let counted: string[]
let counts: WordCounts
const askedIn = (spaces: string[], ...words: string[]) =>
  counts.count(spaces, words, async (unknown) => {
    counted.push(...unknown.map(({ asked }) => asked))
    return unknown.map((each) => ({ ...each, word: each.asked, chunks: chunks[each.asked] ?? 0 }))
  })
const asked = (...words: string[]) => askedIn(['here'], ...words)

beforeEach(() => {
  vi.useFakeTimers()
  chunks = { ship: 900, lighthouse: 3, keeper: 3 }
  counted = []
  counts = new WordCounts(400)
})
afterEach(() => void vi.useRealTimers())

test('rarest first, then longest; words without occurrences are omitted', async () => {
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

test('what is common in one space is counted in another, and what stands in both is added up', async () => {
  await asked('ship')
  expect(await askedIn(['here', 'there'], 'ship')).toEqual([{ word: 'ship', chunks: 1_800 }])
  expect(counted).toEqual(['ship', 'ship'])
})

test('words with the same stem are counted once', async () => {
  const found = await counts.count(['here'], ['keepers', 'keeper', 'keeper'], async (unknown) =>
    unknown.map((each) => ({ ...each, word: 'keeper', chunks: 3 })),
  )
  expect(found).toEqual([{ word: 'keeper', chunks: 3 }])
})

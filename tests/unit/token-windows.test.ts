// Long texts as inputs of a local embedding model.
import { expect, it } from 'vitest'
import { toWindows } from '../../providers/token-windows.ts'

const around = { before: [101], after: [102] }

it('each window of a long text begins with the prompt, and the text is in them once', () => {
  const prompt = [7, 8]
  const ids = [...prompt, ...Array.from({ length: 10 }, (_, at) => 20 + at)]
  expect(toWindows(ids, prompt, around, 6, 8)).toEqual([
    [101, 7, 8, 20, 21, 22, 23, 102],
    [101, 7, 8, 24, 25, 26, 27, 102],
    [101, 7, 8, 28, 29, 102],
  ])
})

it('a text without a prompt, a short one, an empty one and one beyond the limit', () => {
  expect(toWindows([1, 2, 3], [], around, 2, 8)).toEqual([
    [101, 1, 2, 102],
    [101, 3, 102],
  ])
  expect(toWindows([7, 1], [7], around, 6, 8)).toEqual([[101, 7, 1, 102]])
  expect(toWindows([], [7], around, 6, 8)).toEqual([])
  expect(toWindows([1, 2, 3, 4, 5], [], around, 2, 2)).toHaveLength(2)
})

it('a prompt that takes more than half of an input is not repeated', () => {
  expect(toWindows([7, 8, 1, 2, 3], [7, 8], around, 3, 8)).toEqual([
    [101, 7, 8, 1, 102],
    [101, 2, 3, 102],
  ])
})

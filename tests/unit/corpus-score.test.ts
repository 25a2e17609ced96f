// Scores of the corpus run: words, numbers and neighbouring cells.
import { expect, it } from 'vitest'
import { scoreOf, wordsOf } from '../corpus/score.ts'

it('counts each word as often as it is expected', () => {
  expect(scoreOf('the cat the', 'The cat sat on the mat')).toEqual({ recall: 3 / 6, precision: 1 })
  expect(scoreOf('a b c d', 'a b')).toEqual({ recall: 1, precision: 0.5 })
})

it('reads past Markdown and tags', () => {
  expect(wordsOf('# **Bold** <b>tag</b> [link](http://x.test/y) \\_z')).toEqual(['bold', 'tag', 'link', 'z'])
})

it('scores numbers apart, and pairs of neighbouring cells of tables', () => {
  const table = (rows: string[][]) => rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
  const expected = table([
    ['Year', 'Sum'],
    ['---', '---'],
    ['2024', '10'],
    ['2025', '12'],
  ])
  expect(scoreOf(expected, expected)).toEqual({ recall: 1, precision: 1, numbers: 1, neighbours: 1 })
  const shifted = table([
    ['Year', 'Sum'],
    ['---', '---'],
    ['2024', ''],
    ['2025', '10'],
  ])
  expect(scoreOf(shifted, expected)).toMatchObject({ numbers: 3 / 4, neighbours: 3 / 7 })
})

// Scores of the corpus run: words, numbers and neighbouring cells.
import { expect, it } from 'vitest'
import { scoreOf, wordsOf } from '../corpus/score.ts'

it('counts each word as often as it is expected', () => {
  expect(scoreOf('the cat the', 'The cat sat on the mat')).toEqual({ recall: 3 / 6, precision: 1, f1: 2 / 3 })
  expect(scoreOf('a b c d', 'a b')).toEqual({ recall: 1, precision: 0.5, f1: 2 / 3 })
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
  expect(scoreOf(expected, expected)).toEqual({ recall: 1, precision: 1, f1: 1, numbers: 1, neighbours: 1 })
  const shifted = table([
    ['Year', 'Sum'],
    ['---', '---'],
    ['2024', ''],
    ['2025', '10'],
  ])
  expect(scoreOf(shifted, expected)).toMatchObject({ numbers: 3 / 4, neighbours: 3 / 7 })
})

it.each([
  ['emphasis within a word', 'f**oo**b*a*r', 'foobar'],
  ['an escape', 'snake\\_case 5\\*3', 'snake_case 5*3'],
  ['a comment and a picture', '<!-- image --> a ![alt (x)](picture.png "Title") b', 'a b'],
  ['the address of a link', '[timetable](https://example.org/a_(b) "Title")', 'timetable'],
  ['a character reference', 'Fish &amp; &#67;hips', 'fish & chips'],
  ['an address in angle brackets', '<ada@example.org>', 'ada@example.org'],
  ['a word divided at the end of a line', 'time-\ntable', 'timetable'],
])('reads %s as its words', (_, written, meant) => {
  expect(wordsOf(written)).toEqual(wordsOf(meant))
})

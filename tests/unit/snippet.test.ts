// The part of a message that a search shows.
import { expect, it } from 'vitest'
import { questionWords } from '../../contracts/search-words.ts'
import { snippetOf } from '../../contracts/snippet.ts'

const filler = Array.from({ length: 8_000 }, (_, at) => `tide${at % 97}s`).join(' ')

it.each([
  ['The keepers of ponies', 'pony keeper', 1],
  ['Die Straße am Café', 'STRASSE cafe', 1],
  ['我喜欢北京烤鸭', '烤鸭', 1],
  ['서울에서 만나요', '서울', 1],
  ['relational possibilities', 'relations possible', 0.5],
])('finds %s far into a text by %s', (text, question, least) => {
  const { text: snippet, coverage } = snippetOf(`${filler.slice(0, 50_000)} ${text} ${filler}`, questionWords(question))
  expect(snippet).toContain(text)
  expect(coverage).toBeGreaterThanOrEqual(least)
})

it('begins with the text when no word is in it', () => {
  expect(snippetOf('Nothing here.', questionWords('pony'))).toEqual({ text: 'Nothing here.', coverage: 0 })
})

it('reads long messages in a few milliseconds each', () => {
  const question = questionWords('tide5 tide11 tide13 harbour')
  snippetOf(filler, question)
  const began = process.threadCpuUsage()
  for (let count = 0; count < 20; count += 1) snippetOf(filler, question)
  const { user, system } = process.threadCpuUsage(began)
  const each = (user + system) / 1_000 / 20
  expect(each).toBeLessThan(30)
})

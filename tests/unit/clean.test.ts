// What is on pages for the printer's sake is taken out, and nothing else.
import { expect, test } from 'vitest'
import { cleanPages } from '../../media/document/clean.ts'

const book = (texts: string[]) => texts.map((text, index) => ({ page: index + 1, text }))
const cleaned = (texts: string[]) => cleanPages(book(texts)).map(({ text }) => text.trim())
const story = (page: number) => `Something happens on page ${page} that happens nowhere else.`

test('a header with the page number is removed, on left and right pages, for any first number', () => {
  const pages = Array.from({ length: 8 }, (_, index) => {
    const header = index % 2 === 0 ? `${index + 20} The Sea Book` : `The Sea Book ${index + 20}`
    return `${header}\n\n---\n\n${story(index)}\n\nMore of that, ${index} times.`
  })
  const texts = cleaned(pages)
  for (const [index, text] of texts.entries())
    expect(text).toBe(`---\n\n${story(index)}\n\nMore of that, ${index} times.`)
})

test('a footer of most pages stays only in its first place', () => {
  const texts = cleaned(Array.from({ length: 6 }, (_, index) => `${story(index)}\n\nOnly for members`))
  expect(texts[0]).toContain('Only for members')
  for (const text of texts.slice(1)) expect(text).not.toContain('Only for members')
})

test('page numbers are removed, as figures and as Roman ones, alone or out of a whole', () => {
  expect(cleaned([`iv\n\n${story(1)}`, `${story(2)}\n\n- 2 -`])).toEqual([story(1), story(2)])
  const roman = ['viii', 'ix', 'x', 'xi']
  expect(cleaned(roman.map((number, page) => `${story(page)}\n\n${number}`))).toEqual(
    roman.map((_, page) => story(page)),
  )
  expect(cleaned([`${story(1)}\n\nx`])).toEqual([`${story(1)}\n\nx`])
  expect(cleaned([`${story(1)}\n\n85`])).toEqual([`${story(1)}\n\n85`])
  expect(cleaned([1, 2, 3].map((page) => `${page + 11}\n\n${story(page)}`))).toEqual([1, 2, 3].map(story))
  expect(cleaned([1, 2, 3].map((page) => `${story(page)}\n\nPage ${page} of 3`))).toEqual([1, 2, 3].map(story))
})

test('titles, rows, items and what is within a page stay, however often they are there', () => {
  const pages = Array.from({ length: 6 }, (_, index) =>
    [`# Chapter ${index + 1}`, story(index), 'See below', '12', 'See above', story(index), '| Ship | Crew |'].join(
      '\n\n',
    ),
  )
  expect(cleaned(pages)).toEqual(pages)
  const few = ['Yes', 'Yes', 'No']
  expect(cleaned(few)).toEqual(few)
})

test('a word cut at the end of a line is whole, with its hyphen where it has one', () => {
  const text =
    'The light-\nhouse of a well-\nknown keeper.\n\nA lighthouse; a string- valued, pre- and post-war, well-known thing. A string-valued one.'
  expect(cleaned([text])[0]).toBe(
    'The lighthouse of a well-known keeper.\n\nA lighthouse; a string-valued, pre- and post-war, well-known thing. A string-valued one.',
  )
  const code = '```\na-\nb\n```'
  expect(cleaned([code])).toEqual([code])
})

test('invisible characters are removed; ligatures become letters', () => {
  expect(cleaned(['\uFEFFThe \u0000of\uFB01ce is\u00AD \u200Bopen\u0007.\tYes.'])).toEqual([
    'The office is open.\tYes.',
  ])
})

test('a single page is cleaned with its neighbours', () => {
  const around = book([1, 2, 3].map((page) => `The Sea Book ${page}\n\n${story(page)}`))
  const [last] = cleanPages([{ page: 4, text: `The Sea Book 4\n\n${story(4)}` }], around)
  expect(last!.text.trim()).toBe(story(4))
})

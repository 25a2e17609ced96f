// Notices of a job: equal ones counted together, and as a sentence.
import { expect, it } from 'vitest'
import { mergeNotices, noticeText, type Notice } from '../../contracts/notices.ts'

const notice = (place: string, count = 1): Notice => ({
  code: 'left_out',
  message: 'Hidden text',
  count,
  places: [place],
})

it('equal notices are counted together, with their first places', () => {
  const pages = Array.from({ length: 12 }, (_, index) => notice(`page ${index + 1}`))
  const [merged, ...others] = mergeNotices([...pages, notice('page 1', 3)])
  expect(others).toEqual([])
  expect(merged).toMatchObject({ code: 'left_out', message: 'Hidden text', count: 15 })
  expect(merged!.places).toEqual(pages.slice(0, 10).map(({ places }) => places![0]))
})

it('notices of another code or message stay apart, a hundred at most', () => {
  const many = Array.from({ length: 150 }, (_, index) => ({ ...notice('page 1'), message: `Part ${index}` }))
  expect(mergeNotices(many)).toHaveLength(100)
  expect(mergeNotices([notice('a'), { ...notice('a'), code: 'unreadable' }])).toHaveLength(2)
})

it.each([
  [{ code: 'no_text', message: 'No text', count: 1 }, 'No text'],
  [{ code: 'left_out', message: 'Hidden text', count: 3 }, 'Hidden text (3 times)'],
  [notice('page 2'), 'Hidden text (page 2)'],
  [{ ...notice('page 2', 4), places: ['page 2', 'page 3'] }, 'Hidden text (4: page 2; page 3 and others)'],
] as [Notice, string][])('%o reads as a sentence', (told, text) => {
  expect(noticeText(told)).toBe(text)
})

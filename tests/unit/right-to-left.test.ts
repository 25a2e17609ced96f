// Text as it is seen from left to right becomes text in the order of reading.
import { expect, it } from 'vitest'
import { baseLetters, isRightToLeft, readingOrder } from '../../media/document/right-to-left.ts'

const mirror = (text: string) => text.split('').toReversed().join('')

it.each([
  ['Hebrew with a number', `2024 ${mirror('דוח רבעוני')}`, 'דוח רבעוני 2024'],
  ['Arabic with a number', `2024 ${mirror('التقرير السنوي لعام')}`, 'التقرير السنوي لعام 2024'],
  [
    'other words with a number within',
    `${mirror('מספר')} Invoice 1234 ${mirror('חשבונית')}`,
    'חשבונית Invoice 1234 מספר',
  ],
  ['numbers with signs', `12.50 ${mirror('עד')} 50% ${mirror('מחיר')}`, 'מחיר 50% עד 12.50'],
  [
    'brackets',
    `)${mirror('סגור')}( ${mirror('דלת')}`.replace(/[()]/g, (sign) => (sign === '(' ? ')' : '(')),
    'דלת (סגור)',
  ],
  ['a prefix before a number', `2024-${mirror('ב')}`, 'ב-2024'],
  ['one word in English', `The word ${mirror('שלום')} means peace.`, 'The word שלום means peace.'],
  ['two words in English', `The words ${mirror('שלום עולם')} (1) greet.`, 'The words שלום עולם (1) greet.'],
])('%s', (_, seen, read) => {
  expect(readingOrder(seen)).toBe(read)
})

it('text without such letters stays; forms of letters become letters', () => {
  expect(readingOrder('Plain text, 12.')).toBe('Plain text, 12.')
  expect(baseLetters('ﻟﻌﺎم ½ ﬁ')).toBe('لعام ½ ﬁ')
  expect([isRightToLeft('חשבונית Invoice 1234 מספר'), isRightToLeft('1234'), isRightToLeft('The word שלום')]).toEqual([
    true,
    false,
    false,
  ])
})

// What a client shows of a message after applying its events.
import { expect, test } from 'vitest'
import { shownText } from '../../contracts/text.ts'

const content = (step: number, text: string) => ({ type: 'content' as const, data: { step, content: text } })
const reset = (step: number, text: string) => ({
  type: 'content_reset' as const,
  data: { step, reason: 'retry', content: text },
})

test('pieces of text follow each other across steps', () => {
  expect(shownText([content(1, 'Hello'), content(1, ' there'), content(2, '\n\nBye')]).text).toBe('Hello there\n\nBye')
})

test('a reset replaces everything shown, and what follows is appended to it', () => {
  expect(shownText([content(1, 'One.'), content(2, ' Tw'), reset(2, 'One.'), content(2, ' Two.')]).text).toBe(
    'One. Two.',
  )
})

test('other events change nothing', () => {
  const end = { type: 'message_end' as const, data: { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 1 } } }
  expect(shownText([content(1, 'x'), end]).text).toBe('x')
})

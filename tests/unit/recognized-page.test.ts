// What OCR read never costs a page its own text, and says when it is a guess.
import { describe, expect, it } from 'vitest'
import { withoutRecognized, withRecognized, withUnreadPicture } from '../../media/image/recognized-page.ts'
import type { Recognized } from '../../media/page.ts'

function read(...paragraphs: [text: string, confidence: number][]): Recognized {
  const confidences = paragraphs.map(([, confidence]) => confidence)
  return {
    text: paragraphs.map(([text]) => text).join('\n\n'),
    confidence: confidences.reduce((sum, each) => sum + each, 0) / Math.max(1, confidences.length),
    turned: 0,
    paragraphs: confidences.map((confidence) => ({ confidence, box: [0, 0, 1, 1] })),
  }
}

describe('a page with text of its own', () => {
  const page = { page: 3, text: 'Received 12 May 2024' }

  it('keeps it beside what OCR read', () => {
    const { text, notices } = withRecognized(page, read(['Received 12 May', 88], ['The pump holds 12 bar.', 93]))
    expect(text).toBe('Received 12 May 2024\n\nThe pump holds 12 bar.')
    expect(notices).toBeUndefined()
  })

  it('is replaced where OCR read all of it and more', () => {
    const whole = 'Received 12 May 2024\n\nThe pump holds 12 bar.'
    expect(withRecognized(page, read([whole, 95])).text).toBe(whole)
  })

  it('gets nothing that was read with low confidence, with a notice', () => {
    const { text, notices } = withRecognized(page, read(['Rcceivcd', 40], ['Tne pnmp hclds', 31]))
    expect(text).toBe(page.text)
    expect(notices).toMatchObject([{ code: 'left_out' }])
  })
})

it('a page without text has what OCR read, with a notice where that is uncertain', () => {
  const page = { page: 1, text: '', scanned: true as const }
  expect(withRecognized(page, read(['The pump holds 12 bar.', 93]))).toMatchObject({ text: 'The pump holds 12 bar.' })
  expect(withRecognized(page, read(['The pump holds 12 bar.', 93])).notices).toBeUndefined()
  expect(withRecognized(page, read(['Tne pnmp', 41]))).toMatchObject({
    text: 'Tne pnmp',
    notices: [{ code: 'uncertain' }],
  })
})

it('a garbled text layer is replaced by OCR, but not by a bad guess', () => {
  const page = { page: 1, text: '\u0003\u0014 \u0015\u0016', garbled: true as const, scanned: true as const }
  expect(withRecognized(page, read(['The pump holds 12 bar.', 93]))).not.toHaveProperty('notices')
  expect(withRecognized(page, read(['The pump holds 12 bar.', 93])).text).toBe('The pump holds 12 bar.')
  for (const guess of [read(['Tn', 20]), read()])
    expect(withRecognized(page, guess)).toMatchObject({ text: page.text, notices: [{ code: 'uncertain' }] })
})

it('a garbled text layer that OCR failed to read, or was not to read, is named', () => {
  const page = { page: 1, text: '\u0003\u0014 \u0015\u0016', garbled: true as const, scanned: true as const }
  const garbled = { code: 'uncertain', message: 'The fonts do not tell which letters they show' }
  expect(withUnreadPicture(page)).toMatchObject({ text: page.text, notices: [garbled] })
  expect(withoutRecognized(page)).toMatchObject({ text: page.text, notices: [garbled, { code: 'not_read' }] })
  expect(withUnreadPicture({ page: 2, text: 'Stamp', scanned: true }).notices).toMatchObject([{ code: 'unreadable' }])
})

it('without OCR the pages that it would have read are named', () => {
  const notices = [{ code: 'not_read' }]
  expect(withoutRecognized({ page: 2, text: 'Stamp', scanned: true })).toMatchObject({ text: 'Stamp', notices })
  expect(withoutRecognized({ page: 3, text: 'All of it' })).toEqual({ page: 3, text: 'All of it' })
})

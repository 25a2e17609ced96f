// What OCR read of a page, beside the text that the page has of its own: nothing of that is ever lost to a guess.
import type { Notice } from '../../contracts/notices.ts'
import type { Page, Recognized } from '../page.ts'

/** Confidence, from 0 to 100, below which a result is reported as uncertain, and below which it is not added to text. */
const SURE = 70
const ADDED = 60
/** Share of the words of a text that are in another one, when both are the same. */
const SAME = 0.6
const SAME_PAGE = 0.9

const UNCERTAIN: Notice = { code: 'uncertain', message: 'Text was read from a picture with low confidence', count: 1 }
const GARBLED: Notice = { code: 'uncertain', message: 'The fonts do not tell which letters they show', count: 1 }
const LEFT_OUT: Notice = {
  code: 'left_out',
  message: 'Text of a picture beside other text, which could not be read with confidence',
  count: 1,
}
const PICTURES: Notice = { code: 'not_read', message: 'Text in pictures is not read', count: 1 }
const NOT_READ: Notice = {
  code: 'not_read',
  message: "The text of pictures, which is read with options.ocr 'auto'",
  count: 1,
}

const UNREADABLE: Notice = { code: 'unreadable', message: 'Pictures of text that cannot be read', count: 1 }

/** The page without what OCR failed to read of it. */
export function withUnreadPicture({ garbled, ...page }: Page): Page {
  return withNotice(page, garbled ? GARBLED : UNREADABLE)
}

/** The page with what OCR read of it. */
export function withRecognized(page: Page, { text, ...ocr }: Recognized): Page {
  const { garbled, ...rest } = page
  const known = page.text.trim()
  if (text.trim() === '') return withNotice({ ...rest, ocr }, garbled && GARBLED)
  const isSure = ocr.confidence >= SURE
  if (known === '') return withNotice({ ...rest, text, ocr }, !isSure && UNCERTAIN)
  if (garbled) {
    // A guess, too, is better than letters that stand for others.
    const isBetter = ocr.confidence >= ADDED
    return withNotice({ ...rest, text: isBetter ? text : page.text, ocr }, isBetter ? !isSure && UNCERTAIN : GARBLED)
  }
  if (isSure && shareOfWords(known, text) >= SAME_PAGE) return { ...rest, text, ocr }
  return withParagraphs({ ...rest, ocr }, { text, ...ocr })
}

/** The page with the text of a picture on it. */
export function withPictureText(page: Page, recognized: Recognized): Page {
  if (recognized.text.trim() === '') return page
  if (page.text.trim() !== '') return withParagraphs(page, recognized)
  return withNotice({ ...page, text: recognized.text }, recognized.confidence < SURE && UNCERTAIN)
}

/** A picture on the page is not read. */
export function withUnreadPictures(page: Page, count: number): Page {
  return withNotice(page, count > 0 && { ...PICTURES, count })
}

/** Adds the paragraphs that are read with confidence and that the page does not have. */
function withParagraphs(page: Page, { text, ...ocr }: Recognized): Page {
  const paragraphs = text.split('\n\n')
  const isOwn = (index: number) => shareOfWords(paragraphs[index]!, page.text) < SAME
  const others = [...paragraphs.keys()].filter(isOwn)
  const sure = others.filter((index) => (ocr.paragraphs[index]?.confidence ?? ocr.confidence) >= ADDED)
  const added = [page.text, ...sure.map((index) => paragraphs[index]!)].join('\n\n')
  return withNotice({ ...page, text: added }, sure.length < others.length && LEFT_OUT)
}

/** The page without what OCR would read of it. */
export function withoutRecognized({ garbled, ...page }: Page): Page {
  return page.scanned ? withNotice(withNotice(page, garbled && GARBLED), NOT_READ) : page
}

/** A picture that was not read. */
export function unreadPicture(page: number): Page {
  return { page, text: '', notices: [NOT_READ] }
}

function withNotice(page: Page, notice: Notice | false | undefined): Page {
  return notice ? { ...page, notices: [...(page.notices ?? []), notice] } : page
}

/** Share of the words of a text that another one has as well. */
function shareOfWords(text: string, other: string): number {
  const words = wordsOf(text)
  if (words.length === 0) return 1
  const others = new Set(wordsOf(other))
  return words.filter((word) => others.has(word)).length / words.length
}

function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]{2,}/gu) ?? []
  )
}

// One page of a PDF as Markdown: what liteparse makes of it, with the text that it leaves out, values of forms and comments,
// text from right to left in the order of reading, and fractions.
import type { ParsedPage } from '@llamaindex/liteparse'
import type { PDFDocumentProxy } from 'pdfjs-dist'
import type { Page } from '../page.ts'
import { filledForm, hiddenFields } from './pdf-form.ts'
import { hasFraction, withNumerators } from './pdf-fractions.ts'
import { fieldsOf, notesOf, type PdfField, type PdfNote, seenItems } from './pdf-js.ts'
import { withLineBreaks } from './pdf-line-breaks.ts'
import { relaidPage } from './pdf-layout.ts'
import { type PdfItem, rightAngleOf } from './pdf-lines.ts'
import { plainText, withLostText } from './pdf-lost-text.ts'
import { isPicture, textLayerOf } from './pdf-pictures.ts'
import { inReadingOrder } from './pdf-seen-text.ts'
import { hasRightToLeft, rightToLeftShare } from './right-to-left.ts'

/** What only pdf.js reports of a page. */
export interface PdfDetails {
  fields: PdfField[]
  notes: PdfNote[]
  seen: PdfItem[]
}

/** Whether a page has what only pdf.js tells. */
export function needsDetails({ textItems, formFields = [], annotations = [] }: ParsedPage): boolean {
  return (
    formFields.length > 0 ||
    annotations.some(({ contents }) => contents !== undefined && contents !== '') ||
    textItems.some(({ text }) => hasRightToLeft(text) || hasFraction(text))
  )
}

export async function detailsOf(document: PDFDocumentProxy, number: number): Promise<PdfDetails> {
  const page = await document.getPage(number)
  const [fields, notes, seen] = [await fieldsOf(page), await notesOf(page), await seenItems(page)]
  page.cleanup()
  return { fields, notes, seen }
}

/** Share of the letters set sideways from which on a page is read turned. */
const TURNED = 0.9
/** Share of the letters of a page from right to left from which on liteparse mixes up its lines. */
const SOME_RIGHT_TO_LEFT = 0.1

/** The angle by which the text of a page is turned; 0 for a page that is read as it is. */
export function turnOf({ textItems }: ParsedPage): 0 | 90 | 180 | 270 {
  const letters = [0, 0, 0, 0]
  for (const item of textItems) {
    const angle = rightAngleOf(item)
    if (angle !== undefined) letters[angle / 90]! += item.text.length
  }
  const most = letters.indexOf(Math.max(...letters))
  const all = letters.reduce((sum, each) => sum + each, 0)
  return letters[most]! >= TURNED * all ? ([0, 90, 180, 270] as const)[most]! : 0
}

/** What was learned of a page beside its text. */
export interface PdfPageFinds {
  details?: PdfDetails
  /** The page again, turned by `turnOf`. */
  upright?: ParsedPage
  /** It is a picture though liteparse sees none. */
  hasUnseenPicture: boolean
}

/** The page as Markdown, and whether OCR is to read it. */
export function toPage(parsed: ParsedPage, { details, upright = parsed, hasUnseenPicture }: PdfPageFinds): Page {
  const { fields = [], notes = [] } = details ?? {}
  const notices = hiddenFields(fields)
  const layer = parsed.complexity && textLayerOf(parsed.text, parsed.complexity)
  const isScanned = hasUnseenPicture || (layer !== undefined && isPicture(layer, parsed.complexity!))
  return {
    page: parsed.pageNum,
    text: [textOf(parsed, details, upright), ...new Set(notes.flatMap(commentOf))]
      .filter((text) => text !== '')
      .join('\n\n'),
    ...(notices.length > 0 && { notices }),
    ...(isScanned && { scanned: true }),
    ...(layer?.isGarbled && { garbled: true }),
  }
}

function textOf(parsed: ParsedPage, details: PdfDetails | undefined, upright: ParsedPage): string {
  if (!details) return wordsOf(upright)
  const { fields, notes, seen } = details
  const items = [...withNumerators(inReadingOrder(itemsOf(parsed), seen), seen), ...typedOn(parsed, notes)]
  const form = filledForm(items, fields)
  if (form !== undefined) return form
  const whole = items.map(({ text }) => text).join(' ')
  if (rightToLeftShare(whole) >= SOME_RIGHT_TO_LEFT) return plainText(items)
  if (!hasRightToLeft(whole) && upright !== parsed) return wordsOf(upright)
  let markdown = relaidPage(parsed) ?? withoutEmptyFence(parsed.markdown)
  for (const [index, { text }] of itemsOf(parsed).entries())
    if (hasRightToLeft(text) || hasFraction(text)) markdown = markdown.replace(text.trim(), () => items[index]!.text)
  return withLostText(withLineBreaks(markdown, items), items)
}

function wordsOf(page: ParsedPage): string {
  const items = itemsOf(page)
  return withLostText(withLineBreaks(relaidPage(page) ?? withoutEmptyFence(page.markdown), items), items)
}

function itemsOf({ textItems }: ParsedPage): PdfItem[] {
  return textItems.filter(({ text }) => text.trim() !== '')
}

/** Text that was typed on the page and that its text does not have already. */
function typedOn({ text }: ParsedPage, notes: PdfNote[]): PdfItem[] {
  const letters = (from: string) => from.replaceAll(/\s/g, '')
  return notes.filter((note) => note.isTyped && !letters(text).includes(letters(note.text)))
}

function commentOf({ isTyped, text, author }: PdfNote): string[] {
  if (isTyped) return []
  return [`Comment${author === '' ? '' : ` (${author})`}: ${text}`]
}

/** A page without text is returned as an empty code block. */
function withoutEmptyFence(markdown: string): string {
  return /^\s*```\w*\s*```\s*$/.test(markdown) ? '' : markdown
}

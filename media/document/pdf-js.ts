// pdf.js: pages that liteparse cannot open, and what only pdf.js tells: places of single letters, and hidden form fields.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { PageViewport, PDFDocumentProxy, PDFPageProxy } from 'pdfjs-dist'
import { MediaFailure } from '../failure.ts'
import type { PdfItem } from './pdf-lines.ts'
import { readingOrder } from './right-to-left.ts'

/** A form field at its place, with its value as its user sees it. */
export interface PdfField extends PdfItem {
  kind: 'text' | 'box'
  isHidden: boolean
}

/**
 * Opens a PDF and closes it after `use`.
 * @throws MediaFailure `encrypted`, or pdf.js's error
 */
export async function withPdfJs<T>(bytes: Uint8Array, use: (document: PDFDocumentProxy) => Promise<T>): Promise<T> {
  // pdf.js creates one at load time from a canvas package that production installations do not have.
  globalThis.DOMMatrix ??= class {} as typeof DOMMatrix
  const { getDocument, VerbosityLevel } = await import('pdfjs-dist/legacy/build/pdf.mjs')
  const folder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'))
  const loading = getDocument({
    // pdf.js transfers the given buffer.
    data: new Uint8Array(bytes),
    verbosity: VerbosityLevel.ERRORS,
    cMapUrl: join(folder, 'cmaps/'),
    standardFontDataUrl: join(folder, 'standard_fonts/'),
  })
  try {
    return await use(await loading.promise)
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException')
      throw new MediaFailure('encrypted', 'The PDF is encrypted and opens only with a password', { cause: error })
    throw error
  } finally {
    await loading.destroy().catch(() => undefined)
  }
}

/** The pieces of text of a page at their places, each as it is seen from left to right. */
export async function seenItems(page: PDFPageProxy): Promise<PdfItem[]> {
  const viewport = page.getViewport({ scale: 1 })
  const { items } = await page.getTextContent()
  return items.flatMap((item) => {
    if (!('str' in item) || item.str === '') return []
    const [a, b, c, d, e, f] = item.transform as [number, number, number, number, number, number]
    const [width, height] = [item.width, Math.hypot(c, d) || item.height]
    const along = Math.hypot(a, b) || 1
    const [rightX, rightY] = [(a / along) * width, (b / along) * width]
    const [upX, upY] = [(-b / along) * height, (a / along) * height]
    const corners = [
      [e, f],
      [e + rightX, f + rightY],
      [e + upX, f + upY],
      [e + rightX + upX, f + rightY + upY],
    ]
    const seen = corners.map(([x, y]) => viewport.convertToViewportPoint(x!, y!) as [number, number])
    const turned = (Math.atan2(seen[1]![1] - seen[0]![1], seen[1]![0] - seen[0]![0]) * 180) / Math.PI
    // pdf.js has turned the text of an item that is written from right to left.
    return [{ text: item.dir === 'rtl' ? readingOrder(item.str) : item.str, rotation: turned, ...boxOf(seen) }]
  })
}

/** Text added to a page by a reader of it: typed on it, or a comment. */
export interface PdfNote extends PdfItem {
  isTyped: boolean
  author: string
}

type Rectangle = [number, number, number, number]

interface Annotation {
  subtype: string
  rect: Rectangle
  annotationFlags: number
  contentsObj?: { str: string }
  titleObj?: { str: string }
}

interface Widget extends Annotation {
  hidden?: boolean
  fieldType?: 'Tx' | 'Btn' | 'Ch' | 'Sig'
  fieldValue?: string | string[] | null
  password?: boolean
  checkBox?: boolean
  radioButton?: boolean
  exportValue?: string
  buttonValue?: string | null
  options?: { exportValue: string; displayValue: string }[]
}

/** Annotations whose text is not a comment: it is drawn elsewhere, or describes a link or a file. */
const NOT_COMMENTS = ['Widget', 'Popup', 'Link', 'FileAttachment', 'Screen', 'Movie', 'Sound', 'RichMedia']
/** Flags of annotations that are not shown: hidden, and not viewed. */
const HIDDEN = 2 | 32

/** Comments of a page, and text that was typed on it. */
export async function notesOf(page: PDFPageProxy): Promise<PdfNote[]> {
  const viewport = page.getViewport({ scale: 1 })
  const found = (await page.getAnnotations()) as Annotation[]
  return found.flatMap(({ subtype, rect, annotationFlags, contentsObj, titleObj }) => {
    const text = contentsObj?.str.replaceAll(/\s*[\r\n]+\s*/g, ' ').trim() ?? ''
    if (text === '' || NOT_COMMENTS.includes(subtype) || annotationFlags & HIDDEN) return []
    return [{ text, isTyped: subtype === 'FreeText', author: titleObj?.str ?? '', ...placeOf(rect, viewport) }]
  })
}

/** The form fields of a page; an empty one has no text. */
export async function fieldsOf(page: PDFPageProxy): Promise<PdfField[]> {
  const viewport = page.getViewport({ scale: 1 })
  const found = (await page.getAnnotations()) as Widget[]
  return found.flatMap((widget) => {
    if (widget.subtype !== 'Widget') return []
    const value = valueOf(widget)
    if (value === undefined) return []
    const kind = widget.fieldType === 'Btn' ? 'box' : 'text'
    return [{ kind, text: value, isHidden: widget.hidden === true, ...placeOf(widget.rect, viewport) }]
  })
}

/** @returns undefined for what holds no value, such as push buttons and signatures */
function valueOf(widget: Widget): string | undefined {
  const { fieldType, fieldValue = '', password, checkBox, radioButton, exportValue, buttonValue, options = [] } = widget
  if (fieldType === 'Btn') {
    const on = checkBox ? exportValue : radioButton ? buttonValue : undefined
    return on === undefined || on === null ? undefined : fieldValue === on && on !== 'Off' ? '[x]' : '[ ]'
  }
  if (password || (fieldType !== 'Tx' && fieldType !== 'Ch')) return undefined
  const shown = [fieldValue ?? ''].flat().map((value) => {
    return options.find(({ exportValue: own }) => own === value)?.displayValue ?? value
  })
  return shown.join(', ').replaceAll(/\s*[\r\n]+\s*/g, ' ')
}

function placeOf([left, top, right, bottom]: Rectangle, viewport: PageViewport) {
  const corners = [viewport.convertToViewportPoint(left, top), viewport.convertToViewportPoint(right, bottom)]
  return boxOf(corners as [number, number][])
}

function boxOf(points: [number, number][]): Pick<PdfItem, 'x' | 'y' | 'width' | 'height'> {
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const [x, y] = [Math.min(...xs), Math.min(...ys)]
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y }
}

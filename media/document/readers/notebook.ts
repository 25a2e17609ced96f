// Jupyter notebooks: text and code cells in order, with the text of their outputs; pictures are counted.
import { readFile } from 'node:fs/promises'
import { stripVTControlCharacters } from 'node:util'
import { isObject } from '../../../contracts/json.ts'
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { decodeText } from '../text-encoding.ts'
import { fenced } from './fenced.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

type Fields = Record<string, unknown>

/** @throws MediaFailure */
export async function readNotebook(path: string): Promise<UnnumberedPage[]> {
  const notebook = parsed(decodeText(await readFile(path)))
  const language = languageOf(notebook)
  const unread: Notice[] = []
  const texts = cellsOf(notebook).flatMap((cell, index) => cellTexts(cell, language, `cell ${index + 1}`, unread))
  const pages = cutLong(texts.join('\n\n')).map((text): UnnumberedPage => ({ text }))
  return pages.map((page, index) => (index === 0 && unread.length > 0 ? { ...page, notices: unread } : page))
}

function parsed(text: string): Fields {
  try {
    const value = JSON.parse(text) as unknown
    if (isObject(value)) return value
  } catch (cause) {
    throw new MediaFailure('damaged', 'The notebook is no valid JSON', { cause })
  }
  throw new MediaFailure('damaged', 'The notebook has no cells')
}

/** Before version 4, cells were in worksheets. */
function cellsOf({ cells, worksheets }: Fields): Fields[] {
  const sheets = objects(worksheets).flatMap((sheet) => objects(sheet['cells']))
  return Array.isArray(cells) ? objects(cells) : sheets
}

function languageOf({ metadata }: Fields): string {
  const { language_info: info, kernelspec: kernel } = isObject(metadata) ? metadata : {}
  const names = [isObject(info) ? info['name'] : undefined, isObject(kernel) ? kernel['language'] : undefined]
  return names.find((name): name is string => typeof name === 'string' && /^[\w+#.-]+$/.test(name)) ?? 'python'
}

function cellTexts(cell: Fields, language: string, place: string, unread: Notice[]): string[] {
  const source = textOf(cell['source'] ?? cell['input'])
  if (isObject(cell['attachments'])) addUnread(unread, place, Object.keys(cell['attachments']).length)
  if (cell['cell_type'] === 'heading') return [`${'#'.repeat(Number(cell['level']) || 1)} ${source}`]
  if (cell['cell_type'] !== 'code') return source.trim() === '' ? [] : [source.trim()]
  const outputs = objects(cell['outputs']).flatMap((output) => outputTexts(output, place, unread))
  return [...(source.trim() === '' ? [] : [fenced(source, language)]), ...outputs]
}

function outputTexts(output: Fields, place: string, unread: Notice[]): string[] {
  const data = isObject(output['data']) ? output['data'] : output
  const html = textOf(data['text/html'] ?? data['html'])
  const plain = textOf(data['text/plain'] ?? data['text/markdown'] ?? data['text/latex'] ?? output['text'])
  if (Object.keys(data).some((type) => /^(?:image\/.*|png|jpeg|svg)$/.test(type))) addUnread(unread, place, 1)
  if (Array.isArray(output['traceback'])) return [fenced(plainText(textOf(output['traceback'], '\n')), 'text')]
  if (/<table\b/i.test(html)) return [markupToMarkdown(html)]
  return plain.trim() === '' ? [] : [fenced(plainText(plain), 'text')]
}

function addUnread(unread: Notice[], place: string, count: number): void {
  const [known] = unread
  if (!known) unread.push({ code: 'not_read', message: 'Pictures in notebooks are not read', count, places: [place] })
  else {
    known.count += count
    if (known.places!.length < 10 && !known.places!.includes(place)) known.places!.push(place)
  }
}

/** Text is stored as one string or as lines with their ends. */
function textOf(value: unknown, joint = ''): string {
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string').join(joint) : ''
}

/** Without colours; a progress bar counts as it ended. */
function plainText(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll('\r\n', '\n')
    .replaceAll(/^.*\r(?=.)/gm, '')
}

function objects(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

// JSON as readable Markdown: tables of records, lists of values, headings for nested objects.
import { isRawNumber, parseExact } from '../../../contracts/exact-json.ts'
import { isObject } from '../../../contracts/json.ts'
import { readFile } from 'node:fs/promises'
import { decodeText } from '../text-encoding.ts'
import { cutAtBreaks } from './pages.ts'
import { type UnnumberedPage, tableMarkdown } from './table.ts'

type Fields = Record<string, unknown>
/** Most columns of a table of records. */
const MAX_COLUMNS = 50
/** Deepest heading level of Markdown; deeper values are written as JSON. */
const MAX_LEVEL = 6

/** Text that is neither JSON nor JSON Lines is read as plain text. */
export async function readJson(path: string): Promise<UnnumberedPage[]> {
  const text = decodeText(await readFile(path))
  const value = parsed(text) ?? parsedLines(text)
  return cutAtBreaks(value === undefined ? text : write(value, 1).join('\n\n')).map((page) => ({ text: page }))
}

function parsed(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return undefined
  }
}

function parsedLines(text: string): unknown[] | undefined {
  const values = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parsed(line)]))
  return values.includes(undefined) ? undefined : values
}

/** Paragraphs. */
function write(value: unknown, level: number): string[] {
  if (Array.isArray(value)) return writeList(value, level)
  if (!isObject(value)) return [line(value)]
  const simple = Object.entries(value).filter(([, each]) => isSimple(each))
  const nested = Object.entries(value).filter(([, each]) => !isSimple(each))
  return [
    ...(simple.length > 0 ? [simple.map(([name, each]) => `- ${name}: ${line(each)}`).join('\n')] : []),
    ...nested.flatMap(([name, each]) => writeNested(name, each, level)),
  ]
}

function writeList(values: unknown[], level: number): string[] {
  if (values.length === 0) return ['(none)']
  if (values.every(isSimple)) return [values.map((each) => `- ${line(each)}`).join('\n')]
  const names = [...new Set(values.slice(0, 1_000).flatMap((each) => (isObject(each) ? Object.keys(each) : [])))]
  const isTable = values.every((each) => isObject(each) && Object.values(each).every(isSimple))
  if (!isTable || names.length > MAX_COLUMNS)
    return values.flatMap((each, index) => writeNested(String(index + 1), each, level))
  return [tableMarkdown([names, ...values.map((each) => names.map((name) => line((each as Fields)[name])))])]
}

function writeNested(name: string, value: unknown, level: number): string[] {
  if (level > MAX_LEVEL) return [`- ${name}: ${JSON.stringify(value)}`]
  return [`${'#'.repeat(level)} ${name}`, ...write(value, level + 1)]
}

function isSimple(value: unknown): boolean {
  return typeof value !== 'object' || value === null || isRawNumber(value)
}

function line(value: unknown): string {
  return value === undefined || value === null
    ? ''
    : (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/\s*\n\s*/g, ' ')
}

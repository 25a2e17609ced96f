// XML as readable Markdown: articles of journals as they are printed; of any other vocabulary headings for elements with children,
// lists of values, tables of records.
import { readFile } from 'node:fs/promises'
import type { Notice } from '../../../contracts/notices.ts'
import { textEncoding, decodeText } from '../text-encoding.ts'
import { articleHtml, articlesOf, blockHtml, IDENTIFIERS } from './journal-article.ts'
import { markupToMarkdown } from './markup.ts'
import { cutAtBreaks } from './pages.ts'
import { type UnnumberedPage, tableMarkdown } from './table.ts'
import { childrenOf, descendantsOf, nameOf, parseXml } from './xml.ts'

const MAX_LEVEL = 6
const MAX_COLUMNS = 50
const FEW_RECORDS = 2
const TITLES: ReadonlySet<string> = new Set(['title', 'head', 'heading', 'name', 'label'])
const PARAGRAPHS: ReadonlySet<string> = new Set(['p', 'para', 'simpara', 'l', 'line'])
const HTML = /<\/?(?:p|br|a|b|i|em|strong|div|span|ul|ol|li|img|h[1-6])\b[^>]*>/i

/** @throws MediaFailure */
export async function readXmlDocument(path: string): Promise<UnnumberedPage[]> {
  const root = parseXml(decodeXml(await readFile(path)).replace(/^\s+/, ''))
  const articles = articlesOf(root)
  if (articles.length === 0) return cutAtBreaks(blocksOf(root, 1).join('\n\n')).map((text) => ({ text }))
  const notices = identifiersLeftOut(root)
  const markdown = articles.map((article) => markupToMarkdown(articleHtml(article), notices))
  return cutAtBreaks(markdown.join('\n\n')).map((text, index) => ({ text, ...(index === 0 && { notices }) }))
}

function identifiersLeftOut(root: Element): Notice[] {
  const count = IDENTIFIERS.reduce((sum, name) => sum + [...descendantsOf(root, name)].length, 0)
  const message = 'Identifiers of journals, persons, institutions and figures are left out'
  return count === 0 ? [] : [{ code: 'left_out', message, count, places: [] }]
}

/** In the declared encoding, unless the bytes tell another. */
function decodeXml(bytes: Buffer): string {
  const declared = /^\s*<\?xml[^>]*\bencoding=["']([\w.:-]+)["']/.exec(bytes.toString('latin1', 0, 200))?.[1]
  const detected = textEncoding(bytes)
  if (declared === undefined || detected?.startsWith('utf-')) return decodeText(bytes)
  try {
    return new TextDecoder(declared).decode(bytes)
  } catch {
    return decodeText(bytes)
  }
}

function blocksOf(element: Element, level: number): string[] {
  const children = childrenOf(element)
  const own = attributesOf(element)
  if (children.length === 0) return leafBlocks(element, own)
  if (isPrinted(element)) return [markupToMarkdown(blockHtml(element, level))]
  if (isMixed(element)) return [wordsOf(element)]
  const [first] = children
  const title = first && TITLES.has(nameOf(first)) && isLeaf(first) ? wordsOf(first) : ''
  const heading = title === '' ? nameOf(element) : title
  const blocks = [level <= MAX_LEVEL ? `${'#'.repeat(level)} ${heading}` : `**${heading}**`]
  if (own.length > 0) blocks.push(own.map(([name, value]) => `- ${name}: ${value}`).join('\n'))
  let list: string[] = []
  const flush = () => {
    if (list.length > 0) blocks.push(list.join('\n'))
    list = []
  }
  const rest = title === '' ? children : children.slice(1)
  for (let at = 0; at < rest.length;) {
    const records = recordsAt(rest, at)
    const [block = '', ...others] = records.length > 0 ? [recordTable(records)] : blocksOf(rest[at]!, level + 1)
    if (block.startsWith('- ') && others.length === 0 && isLeaf(rest[at]!)) list.push(block)
    else {
      flush()
      blocks.push(...[block, ...others].filter((each) => each !== ''))
    }
    at += Math.max(1, records.length)
  }
  flush()
  return blocks
}

/** Formulas in MathML and tables of rows and cells mean the same in every vocabulary. */
function isPrinted(element: Element): boolean {
  const name = nameOf(element)
  return (name === 'math' || name === 'table') && !descendantsOf(element, name === 'math' ? 'mrow' : 'td').next().done
}

function leafBlocks(element: Element, own: [string, string][]): string[] {
  const words = wordsOf(element)
  if (PARAGRAPHS.has(nameOf(element)) && own.length === 0) return words === '' ? [] : [words]
  if (words === '' && own.length === 0) return []
  const attributes = own.map(([name, value]) => `${name}=${value}`).join(', ')
  const name = attributes === '' ? nameOf(element) : `${nameOf(element)} (${attributes})`
  return [words.includes('\n') ? `**${name}:**\n\n${words}` : `- ${name}${words === '' ? '' : `: ${words}`}`]
}

/** Elements of one name in a row whose children are values. */
function recordsAt(siblings: Element[], at: number): Element[] {
  const name = nameOf(siblings[at]!)
  const isRecord = (element: Element) => {
    const children = childrenOf(element)
    const names = children.map(nameOf)
    const isFlat = children.every(
      (child) => isLeaf(child) && attributesOf(child).length === 0 && !HTML.test(child.textContent ?? ''),
    )
    return (
      isFlat &&
      new Set(names).size === names.length &&
      !isMixed(element) &&
      names.length + attributesOf(element).length > 1
    )
  }
  let end = at
  while (end < siblings.length && nameOf(siblings[end]!) === name && isRecord(siblings[end]!)) end += 1
  const records = siblings.slice(at, end)
  return records.length < FEW_RECORDS || columnsOf(records).length > MAX_COLUMNS ? [] : records
}

function columnsOf(records: Element[]): string[] {
  return [...new Set(records.flatMap((record) => [...fieldsOf(record).keys()]))]
}

function fieldsOf(record: Element): Map<string, string> {
  const words = childrenOf(record).length === 0 ? wordsOf(record) : ''
  return new Map([
    ...attributesOf(record),
    ...childrenOf(record).map((child): [string, string] => [nameOf(child), wordsOf(child)]),
    ...(words === '' ? [] : [[nameOf(record), words] as [string, string]]),
  ])
}

function recordTable(records: Element[]): string {
  const columns = columnsOf(records)
  const rows = records.map((record) => {
    const fields = fieldsOf(record)
    return columns.map((column) => fields.get(column) ?? '')
  })
  return `**${nameOf(records[0]!)}**\n\n${tableMarkdown([columns, ...rows])}`
}

function isLeaf(element: Element): boolean {
  return element.children.length === 0
}

/** Text between elements, as in a sentence with emphasis. */
function isMixed(element: Element): boolean {
  return [...element.childNodes].some(
    (node) => (node.nodeType === 3 || node.nodeType === 4) && (node.textContent ?? '').trim() !== '',
  )
}

function wordsOf(element: Element): string {
  const text = element.textContent ?? ''
  if (isLeaf(element) && HTML.test(text)) return markupToMarkdown(text)
  return text.trim().replaceAll(/\s+/g, ' ')
}

/** Without declarations of namespaces. */
function attributesOf(element: Element): [string, string][] {
  return [...element.attributes]
    .filter(({ name }) => !/^xmlns\b|^xsi:|^xml:space$/.test(name))
    .map(({ name, value }) => [name, value.trim().replaceAll(/\s+/g, ' ')])
}

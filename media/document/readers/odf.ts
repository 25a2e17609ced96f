// OpenDocument, as written by LibreOffice: texts with pages, sheets, slides with notes. Hidden parts are skipped.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { headOf } from '../../kind/kind-of-file.ts'
import { decodeText } from '../text-encoding.ts'
import { type Archive, checkEntities, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { OdfHtml } from './odf-html.ts'
import { cutAtBreaks } from './pages.ts'
import { type UnnumberedPage, tableParts } from './table.ts'
import { attribute, childAt, childrenOf, descendantsOf, nameOf, parseXml } from './xml.ts'

const MANIFEST = 'META-INF/manifest.xml'
/** Limits of columns per row, and of repetitions of a non-empty row: both are untrusted numbers. */
const MAX_COLUMNS = 1_024
const MAX_REPEATS = 1_000

/** @throws MediaFailure */
export function readOdt(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (content, body) => {
    const html = new OdfHtml(content).blocks(childAt(body, 'text'))
    return cutAtBreaks(markupToMarkdown(html)).map((text) => ({ text }))
  })
}

/** @throws MediaFailure */
export function readOdp(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (content, body) => {
    const writer = new OdfHtml(content)
    const pages = childrenOf(childAt(body, 'presentation'), 'page')
    return pages.flatMap((page, index) => {
      if (writer.styleOf(page, 'drawing-page-properties', 'visibility') === 'hidden') return []
      const notes = writer.blocks(childAt(page, 'notes'))
      const html = writer.blocks(page) + (/>[^<]*\p{L}/u.test(notes) ? `<p><strong>Notes:</strong></p>${notes}` : '')
      return [{ text: markupToMarkdown(html), label: `Slide ${index + 1}` }]
    })
  })
}

/** @throws MediaFailure */
export function readOds(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (content, body) => {
    const writer = new OdfHtml(content)
    return childrenOf(childAt(body, 'spreadsheet'), 'table').flatMap((table) => {
      if (writer.styleOf(table, 'table-properties', 'display') === 'false') return []
      return tableParts([...rowsOf(table, writer)], `Sheet ${attribute(table, 'name') ?? ''}`)
    })
  })
}

async function withContent(
  path: string,
  read: (content: Element, body: Element) => UnnumberedPage[],
): Promise<UnnumberedPage[]> {
  const flat = await flatXml(path)
  if (flat !== undefined) return read(...contentOf(flat))
  return withArchive(path, async (archive) => {
    await refuseEncrypted(archive)
    return read(...contentOf(await archive.xml('content.xml')))
  })
}

function contentOf(xml: string): [content: Element, body: Element] {
  const content = parseXml(xml)
  const body = childAt(content, 'body')
  if (!body) throw new MediaFailure('damaged', 'The document has no body')
  return [content, body]
}

/** A document that is one XML file, without its pictures. */
async function flatXml(path: string): Promise<string | undefined> {
  if ((await headOf(path)).toString('latin1', 0, 2) === 'PK') return undefined
  return checkEntities(decodeText(await readFile(path))).replaceAll(
    /<office:binary-data>[^<]*<\/office:binary-data>/g,
    '',
  )
}

async function refuseEncrypted(archive: Archive): Promise<void> {
  if (!archive.has(MANIFEST)) return
  // Some programs declare a document type in the manifest, so it is parsed less strictly.
  const manifest = parseXml((await archive.bytes(MANIFEST)).toString())
  if (!descendantsOf(manifest, 'encryption-data').next().done)
    throw new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
}

function* rowsOf(table: Element, writer: OdfHtml): Generator<string[]> {
  for (const child of childrenOf(table)) {
    if (/^table-(header-rows|row-group|rows)$/.test(nameOf(child))) yield* rowsOf(child, writer)
    if (nameOf(child) !== 'table-row') continue
    const cells: string[] = []
    for (const cell of childrenOf(child, 'table-cell', 'covered-table-cell')) {
      const times = Math.min(repeats(cell, 'number-columns-repeated'), MAX_COLUMNS - cells.length)
      const text = nameOf(cell) === 'table-cell' ? cellText(cell, writer) : ''
      for (let n = 0; n < times; n += 1) cells.push(text)
    }
    while (cells.at(-1) === '') cells.pop()
    if (cells.length === 0) continue
    const times = Math.min(repeats(child, 'number-rows-repeated'), MAX_REPEATS)
    for (let n = 0; n < times; n += 1) yield cells
  }
}

function repeats(element: Element, name: string): number {
  return Math.max(1, Math.floor(Number(attribute(element, name) ?? 1)) || 1)
}

/** Dates in ISO format; other values as displayed. */
function cellText(cell: Element, writer: OdfHtml): string {
  const date = attribute(cell, 'date-value')
  if (date !== undefined) return date.replace('T00:00:00', '').replace('T', ' ')
  return childrenOf(cell, 'p')
    .map((paragraph) => writer.plain(paragraph))
    .join(' ')
}

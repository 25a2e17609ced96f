// Headers and footers of a Word document, each once: at its beginning and its end.
import type { Archive } from './archive.ts'
import { removePageNumbers } from './docx-fields.ts'
import { elementsOf, maker, textRun } from './docx-xml.ts'
import { childAt, childrenOf, descendantsOf, parseXml } from './xml.ts'

/** What is left of "Page 3 of 10" without its numbers, in characters. */
const LITTLE = 15

/** Paragraphs before and behind the footers. */
export const FOOTER_START = '\u{10FE01}'
export const FOOTER_END = '\u{10FE02}'

/** Adds them to the body. @returns their XML */
export async function addRunning(archive: Archive, root: Element): Promise<string> {
  const body = childAt(root, 'body')
  if (!body) return ''
  const [header, footer] = [await blocksOf(archive, root, 'header'), await blocksOf(archive, root, 'footer')]
  body.prepend(...header.blocks)
  const make = maker(root)
  const paragraph = (text: string) => make('p', {}, textRun(make, text))
  if (footer.blocks.length > 0) body.append(paragraph(FOOTER_START), ...footer.blocks, paragraph(FOOTER_END))
  return header.xml + footer.xml
}

async function blocksOf(archive: Archive, root: Element, place: 'header' | 'footer') {
  const found = { blocks: [] as Element[], xml: '' }
  const seen = new Set<string>()
  const names = archive.names.filter((name) => new RegExp(`^word/${place}\\d*\\.xml$`).test(name))
  for (const name of names.toSorted((one, other) => one.localeCompare(other, 'en', { numeric: true }))) {
    const xml = await archive.xml(name)
    const part = parseXml(xml)
    // Of another prefix than the document's: none that is known writes such files.
    if (part.tagName.replace(/\w+$/, '') !== root.tagName.replace(/\w+$/, '')) continue
    found.xml += xml
    for (const block of childrenOf(part)) {
      const hadNumber = removePageNumbers(block)
      const text = textOf(block)
      if (!/[\p{L}\p{N}]/u.test(text) || (hadNumber && text.length <= LITTLE) || seen.has(text)) continue
      seen.add(text)
      // Its relations are those of its own part.
      for (const picture of [...descendantsOf(block, 'blip'), ...descendantsOf(block, 'imagedata')]) picture.remove()
      for (const link of elementsOf(block, 'hyperlink')) link.replaceWith(...link.childNodes)
      found.blocks.push(block)
    }
  }
  return found
}

function textOf(block: Element): string {
  const texts = elementsOf(block, 't').map((text) => text.textContent ?? '')
  const art = elementsOf(block, 'textpath').map((path) => path.getAttribute('string') ?? '')
  return [...texts, ...art].join('').replaceAll(/\s+/g, ' ').trim()
}

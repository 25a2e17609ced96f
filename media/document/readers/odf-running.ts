// Headers and footers of an OpenDocument text, each once: at its beginning and its end.
import { OdfHtml, type OdfSource } from './odf-html.ts'
import { childAt, childrenOf, descendantsOf } from './xml.ts'

/** What is left of "Page 3 of 10" without its numbers, in characters. */
const LITTLE = 15

/** HTML. */
export function odfRunning({ styles, ...source }: OdfSource): { header: string; footer: string } {
  // Their styles are those of their own part.
  const writer = new OdfHtml({ ...source, styles, content: styles ?? source.content })
  const pages = childrenOf(childAt(styles, 'master-styles'), 'master-page')
  const seen = new Set<string>()
  const read = (names: string[]) =>
    pages
      .flatMap((page) => childrenOf(page, ...names))
      .flatMap((part) => childrenOf(part))
      .flatMap((block) => {
        const numbers = ['page-number', 'page-count'].flatMap((name) => [...descendantsOf(block, name)])
        for (const number of numbers) number.remove()
        const text = writer.plain(block).replaceAll(/\s+/g, ' ').trim()
        const isNumber = numbers.length > 0 && text.length <= LITTLE
        if (!/[\p{L}\p{N}]/u.test(text) || isNumber || seen.has(text)) return []
        seen.add(text)
        return [writer.block(block)]
      })
      .join('\n')
  return {
    header: read(['header', 'header-first', 'header-left']),
    footer: read(['footer', 'footer-first', 'footer-left']),
  }
}

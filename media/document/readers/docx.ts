// Word documents: mammoth converts them to HTML; page breaks, headers and footers, which it drops, are added here.
import mammoth from 'mammoth'
import { type Archive, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { cutAtBreaks } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

const MAIN = 'word/document.xml'
const STYLES = [
  "p[style-name='Title'] => h1:fresh",
  "p[style-name='Subtitle'] => p > em:fresh",
  "br[type='page'] => hr.page",
]

/** Back link of a footnote. */
const WAY_BACK = /\s*<a href="#(?:foot|end)note-ref-[^"]*">[^<]*<\/a>/g

/** Page breaks are those of the saving program, if recorded. @throws MediaFailure */
export function readDocx(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    await archive.xml(MAIN)
    const buffer = await archive.copy(
      (name) => !/^word\/(media|embeddings|fonts)\//.test(name) && /\.(xml|rels)$/i.test(name),
      (name, xml) => (name === MAIN ? withBreaks(xml) : xml),
    )
    const { value: html } = await mammoth.convertToHtml(
      { buffer },
      { styleMap: STYLES, convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: '' })) },
    )
    const pages = cutAtBreaks(markupToMarkdown(html.replaceAll(WAY_BACK, '')))
    const [header, footer] = [await running(archive, 'header'), await running(archive, 'footer')]
    if (header) pages[0] = `${header}\n\n${pages[0] ?? ''}`
    if (footer) pages[pages.length === 0 ? 0 : pages.length - 1] = `${pages.at(-1) ?? ''}\n\n${footer}`
    return pages.map((text) => ({ text }))
  })
}

/** Rendered page breaks become explicit ones, which mammoth supports; an adjacent explicit break is the same one. */
function withBreaks(xml: string): string {
  const noted = '<w:lastRenderedPageBreak/>'
  if (!xml.includes(noted)) return xml
  return xml.replaceAll(/<w:br\b[^>]*w:type="page"[^>]*\/>/g, '').replaceAll(noted, '<w:br w:type="page"/>')
}

/** The header or footer of all pages, once. */
async function running(archive: Archive, place: 'header' | 'footer'): Promise<string> {
  const lines = new Set<string>()
  for (const name of archive.names.filter((name) => new RegExp(`^word/${place}\\d*\\.xml$`).test(name))) {
    for (const [paragraph] of (await archive.xml(name)).matchAll(/<w:p\b.*?<\/w:p>/gs)) {
      const text = [...paragraph.matchAll(/<w:t(?:\s[^>]*)?>([^<]*)<\/w:t>/g)].map(([, words]) => words).join('')
      if (/\p{L}/u.test(text)) lines.add(unescape(text.trim()))
    }
  }
  return [...lines].join('\n\n')
}

function unescape(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
}

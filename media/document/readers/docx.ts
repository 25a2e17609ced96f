// Word documents: mammoth converts them to HTML, after their parts are rewritten so that it finds all of their text.
import mammoth from 'mammoth'
import { type Archive, withArchive } from './archive.ts'
import { rewrite } from './docx-body.ts'
import { foreignParts } from './docx-foreign.ts'
import { DocxNumbering } from './docx-numbering.ts'
import { addRunning, FOOTER_END, FOOTER_START } from './docx-running.ts'
import { DocxStyles } from './docx-styles.ts'
import { LABEL_STYLE, TEX_STYLE, elementsOf } from './docx-xml.ts'
import { Marks } from './marks.ts'
import { LABEL_CLASS, markupToMarkdown, TEX_CLASS } from './markup.ts'
import { cutAtBreaks } from './pages.ts'
import { relationsOf } from './relations.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, descendantsOf, parseXml } from './xml.ts'

const STYLES = [
  "p[style-name='Title'] => h1:fresh",
  "p[style-name='Subtitle'] => p > em:fresh",
  "br[type='page'] => hr.page",
  `r.${LABEL_STYLE} => span.${LABEL_CLASS}:fresh`,
  `r.${TEX_STYLE} => code.${TEX_CLASS}:fresh`,
  'comment-reference => sup',
]
/** Documents within documents. */
const MAX_DEPTH = 5

/** Back link of a footnote or a comment. */
const WAY_BACK = /\s*<a href="#(?:(?:foot|end)note|comment)-ref-[^"]*">[^<]*<\/a>/g
/** Surrounds the number of a block that mammoth cannot convert. */
const BLOCK = '\u{10FE00}'
const BLOCKS = /<p>\u{10FE00}(\d+)\u{10FE00}<\/p>/gu

/** Footers end the text, behind the notes that mammoth adds. */
const FOOTER = new RegExp(`^([^]*)<p>${FOOTER_START}</p>([^]*)<p>${FOOTER_END}</p>([^]*)$`, 'u')

/** Page breaks are those of the saving program, if recorded. @throws MediaFailure */
export function readDocx(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, docxPages)
}

/** @throws MediaFailure */
export async function docxPages(archive: Archive): Promise<UnnumberedPage[]> {
  const marks = new Marks()
  const html = await docxHtml(archive, marks)
  return cutAtBreaks(markupToMarkdown(html)).map((text) => marks.page(text))
}

async function docxHtml(archive: Archive, marks: Marks, depth = 0): Promise<string> {
  const main = (await relationsOf(archive, '')).find(({ type }) => type.endsWith('/officeDocument'))?.part
  const name = main !== undefined && archive.has(main) ? main : 'word/document.xml'
  const relations = await relationsOf(archive, name)
  const related = (type: string) =>
    relations.filter((each) => each.type.endsWith(`/${type}`) && archive.has(each.part)).map(({ part }) => part)
  const root = async (type: string) => {
    const [part] = related(type)
    return part === undefined ? undefined : parseXml(await archive.xml(part))
  }
  const styles = new DocxStyles(await root('styles'))
  const numbering = new DocxNumbering(await root('numbering'), styles)
  const blocks: string[] = []
  const changed = new Map<string, string>()
  for (const part of [name, ...related('footnotes'), ...related('endnotes'), ...related('comments')]) {
    const xml = withBreaks(await archive.xml(part))
    const tree = parseXml(xml)
    const all = part === name ? xml + (await addRunning(archive, tree)) : xml
    const readDocx = (nested: Archive) =>
      depth < MAX_DEPTH ? docxHtml(nested, marks, depth + 1) : Promise.resolve(undefined)
    const foreign = await foreignParts(archive, part, readDocx, marks)
    const block = (relation: string) => {
      const html = foreign.get(relation)
      if (html === undefined) return marks.of('not_read', 'Charts, diagrams or parts in other formats are not read')
      return BLOCK + String(blocks.push(html) - 1) + BLOCK
    }
    const targets = await relationsOf(archive, part)
    const picture = (relation: string | undefined) => {
      const target = targets.find(({ id }) => id === relation)?.part
      // A document within has parts of its own.
      return marks.picture(depth === 0 && target !== undefined && archive.has(target) ? target : undefined)
    }
    rewrite(tree, all, { styles, numbering, marks, block, picture })
    await dropLost(archive, part, tree)
    if (part !== name) nameAuthors(tree)
    changed.set(part, tree.outerHTML)
  }
  const buffer = await archive.copy(
    (each) => !/^word\/(media|embeddings|fonts)\//.test(each) && /\.(xml|rels)$/i.test(each),
    (each, xml) => changed.get(each) ?? xml,
  )
  const convertImage = mammoth.images.imgElement(() => Promise.resolve({ src: '' }))
  const { value } = await mammoth.convertToHtml({ buffer }, { styleMap: STYLES, convertImage })
  const [, start = '', footer = '', end = ''] = FOOTER.exec(value) ?? [value, value]
  return (start + end + footer)
    .replaceAll(WAY_BACK, '')
    .replaceAll(BLOCKS, (_, index: string) => blocks[Number(index)] ?? '')
}

/** Rendered page breaks become explicit ones, which mammoth supports; an adjacent explicit break is the same one. */
function withBreaks(xml: string): string {
  const noted = '<w:lastRenderedPageBreak/>'
  if (!xml.includes(noted)) return xml
  return xml.replaceAll(/<w:br\b[^>]*w:type="page"[^>]*\/>/g, '').replaceAll(noted, '<w:br w:type="page"/>')
}

/** Mammoth cannot read references that lead nowhere. */
async function dropLost(archive: Archive, part: string, root: Element): Promise<void> {
  const rels = part.replace(/([^/]*)$/, '_rels/$1.rels')
  const ids = archive.has(rels)
    ? new Set(
        [...descendantsOf(parseXml(await archive.xml(rels)), 'Relationship')].map((each) => attribute(each, 'Id')),
      )
    : new Set()
  const isLost = (element: Element, name: string) => {
    const id = [...element.attributes].find((each) => each.name.endsWith(`:${name}`))?.value
    return id !== undefined && !ids.has(id)
  }
  for (const picture of elementsOf(root, 'blip'))
    if (isLost(picture, 'embed') || isLost(picture, 'link')) picture.remove()
  for (const picture of elementsOf(root, 'imagedata')) if (isLost(picture, 'id')) picture.remove()
  for (const link of elementsOf(root, 'hlinkClick')) if (isLost(link, 'id')) link.remove()
  for (const link of elementsOf(root, 'hyperlink')) if (isLost(link, 'id')) link.replaceWith(...link.childNodes)
}

/** Comments are called by their author, not by initials. */
function nameAuthors(root: Element): void {
  for (const comment of elementsOf(root, 'comment')) {
    const author = attribute(comment, 'author')?.trim()
    const own = [...comment.attributes].find(({ name }) => name.endsWith(':author'))?.name
    if (author && own) comment.setAttribute(own.replace('author', 'initials'), `${author} #`)
  }
}

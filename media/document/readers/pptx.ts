// Presentations of PowerPoint: one page per slide in order, with its notes and comments. Hidden slides are left out.
import { type Archive, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { chartParts } from './office-chart.ts'
import { commentAuthors, slideComments } from './pptx-comments.ts'
import { slideHtml } from './pptx-shapes.ts'
import { imagesOf, relationsOf } from './relations.ts'
import { leftOutSlides, withNotices } from './sheet-notices.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, childAt, childrenOf, parseXml } from './xml.ts'

/** @throws MediaFailure */
export function readPptx(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    const main = (await relationsOf(archive, '')).find(({ type }) => type.endsWith('/officeDocument'))?.part
    const show = main !== undefined && archive.has(main) ? main : 'ppt/presentation.xml'
    const targets = await relationsOf(archive, show)
    const authors = await commentAuthors(archive, targets)
    const ids = childrenOf(childAt(parseXml(await archive.xml(show)), 'sldIdLst'), 'sldId')
    const pages: UnnumberedPage[] = []
    const hidden: string[] = []
    for (const [index, id] of ids.entries()) {
      const name = targets.find((target) => target.id === relationOf(id))?.part
      if (name === undefined || !archive.has(name)) continue
      const slide = parseXml(await archive.xml(name))
      const label = `Slide ${index + 1}`
      if (/^(?:0|false)$/.test(attribute(slide, 'show') ?? '')) hidden.push(label)
      else pages.push({ ...(await pageOf(archive, name, slide, authors)), label })
    }
    return withNotices(pages, leftOutSlides(hidden))
  })
}

async function pageOf(
  archive: Archive,
  part: string,
  slide: Element,
  authors: ReadonlyMap<string, string>,
): Promise<UnnumberedPage> {
  const { html, notices, pictures } = slideHtml(slide, {
    parts: await chartParts(archive, part),
    images: await imagesOf(archive, part),
  })
  const comments = await slideComments(archive, part, authors)
  const text = markupToMarkdown(html + (await notesOf(archive, part)) + comments)
  return { text, ...(notices.length > 0 && { notices }), ...(pictures.length > 0 && { pictures }) }
}

async function notesOf(archive: Archive, slide: string): Promise<string> {
  const notes = (await relationsOf(archive, slide)).find(({ type }) => type.endsWith('/notesSlide'))?.part
  if (notes === undefined || !archive.has(notes)) return ''
  const parts = await chartParts(archive, notes)
  const { html } = slideHtml(parseXml(await archive.xml(notes)), { parts, images: new Map() })
  return />[^<]*[\p{L}\p{N}]/u.test(html) ? `<p><strong>Notes:</strong></p>${html}` : ''
}

/** `r:id`, in contrast to the numeric `id`. */
function relationOf(element: Element): string | undefined {
  return [...element.attributes].find(({ name }) => name.endsWith(':id'))?.value
}

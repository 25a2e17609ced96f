// OpenDocument, as written by LibreOffice: texts with pages, slides with notes, drawings. Hidden parts are left out.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { headOf } from '../../kind/kind-of-file.ts'
import { decodeText } from '../text-encoding.ts'
import { type Archive, checkEntities, withArchive } from './archive.ts'
import { Marks } from './marks.ts'
import { markupToMarkdown } from './markup.ts'
import { OdfHtml, type OdfSource } from './odf-html.ts'
import { flatObjects, objectsOf } from './odf-objects.ts'
import { odfRunning } from './odf-running.ts'
import { cutAtBreaks } from './pages.ts'
import { leftOutSlides, withNotices } from './sheet-notices.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, childAt, childrenOf, descendantsOf, parseXml } from './xml.ts'

const MANIFEST = 'META-INF/manifest.xml'

/** @throws MediaFailure */
export function readOdt(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (source, body) => {
    const running = odfRunning(source)
    const writer = new OdfHtml(source)
    const html = [running.header, writer.blocks(childAt(body, 'text')), running.footer].filter(Boolean).join('\n')
    return cutAtBreaks(markupToMarkdown(html)).map((text) => source.marks.page(text))
  })
}

/** @throws MediaFailure */
export function readOdp(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (source, body) => {
    const writer = new OdfHtml(source)
    const hidden: string[] = []
    const pages = childrenOf(childAt(body, 'presentation'), 'page').flatMap((page, index) => {
      const label = `Slide ${index + 1}`
      if (writer.styleOf(page, 'drawing-page-properties', 'visibility') === 'hidden') {
        hidden.push(label)
        return []
      }
      const html = writer.blocks(page)
      const notes = writer.blocks(childAt(page, 'notes'))
      const said = />[^<]*[\p{L}\p{N}]/u.test(notes) ? `<p><strong>Notes:</strong></p>${notes}` : ''
      return [{ ...source.marks.page(markupToMarkdown(html + said)), label }]
    })
    return withNotices(pages, leftOutSlides(hidden))
  })
}

/** Drawings: one page each. @throws MediaFailure */
export function readOdg(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (source, body) => {
    const writer = new OdfHtml(source)
    const pages = childrenOf(childAt(body, 'drawing'), 'page')
    return pages.map((page) => source.marks.page(markupToMarkdown(writer.blocks(page))))
  })
}

/** @param read with the document and its body @throws MediaFailure */
export async function withContent(
  path: string,
  read: (source: OdfSource, body: Element) => UnnumberedPage[],
): Promise<UnnumberedPage[]> {
  const flat = await flatXml(path)
  if (flat !== undefined) {
    const content = parseXml(flat)
    const source = { content, styles: content, object: flatObjects, picture: () => undefined, marks: new Marks() }
    return read(source, bodyOf(content))
  }
  return withArchive(path, async (archive) => {
    await refuseEncrypted(archive)
    const content = parseXml(await archive.xml('content.xml'))
    const styles = archive.has('styles.xml') ? parseXml(await archive.xml('styles.xml')) : undefined
    const picture = (image: Element) => {
      const part = attribute(image, 'href')?.replace(/^\.\//, '')
      return part !== undefined && archive.has(part) ? part : undefined
    }
    const object = await objectsOf(archive, content)
    return read({ content, styles, object, picture, marks: new Marks() }, bodyOf(content))
  })
}

function bodyOf(content: Element): Element {
  const body = childAt(content, 'body')
  if (!body) throw new MediaFailure('damaged', 'The document has no body')
  return body
}

/** A document that is one XML file, without its pictures. */
async function flatXml(path: string): Promise<string | undefined> {
  if ((await headOf(path)).toString('latin1', 0, 2) === 'PK') return undefined
  return checkEntities(decodeText(await readFile(path))).replaceAll(
    /<office:binary-data>[^<]*<\/office:binary-data>/g,
    '<office:binary-data/>',
  )
}

async function refuseEncrypted(archive: Archive): Promise<void> {
  if (!archive.has(MANIFEST)) return
  // Some programs declare a document type in the manifest, so it is parsed less strictly.
  const manifest = parseXml((await archive.bytes(MANIFEST)).toString())
  if (!descendantsOf(manifest, 'encryption-data').next().done)
    throw new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
}

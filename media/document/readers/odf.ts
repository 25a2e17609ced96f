// OpenDocument, as written by LibreOffice: texts with pages, slides with notes. Hidden parts are skipped.
import { MediaFailure } from '../../failure.ts'
import { type Archive, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { OdfHtml } from './odf-html.ts'
import { cutAtBreaks } from './pages.ts'
import type { UnnumberedPage } from './table.ts'
import { childAt, childrenOf, descendantsOf, parseXml } from './xml.ts'

const MANIFEST = 'META-INF/manifest.xml'

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

/** @param read with the root of `content.xml` and its body @throws MediaFailure */
export async function withContent(
  path: string,
  read: (content: Element, body: Element) => UnnumberedPage[],
): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    await refuseEncrypted(archive)
    const content = parseXml(await archive.xml('content.xml'))
    const body = childAt(content, 'body')
    if (!body) throw new MediaFailure('damaged', 'The document has no body')
    return read(content, body)
  })
}

async function refuseEncrypted(archive: Archive): Promise<void> {
  if (!archive.has(MANIFEST)) return
  // Some programs declare a document type in the manifest, so it is parsed less strictly.
  const manifest = parseXml((await archive.bytes(MANIFEST)).toString())
  if (!descendantsOf(manifest, 'encryption-data').next().done)
    throw new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
}

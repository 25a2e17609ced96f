// OpenDocument, as written by LibreOffice: texts with pages, slides with notes. Hidden parts are skipped.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { headOf } from '../../kind/kind-of-file.ts'
import { decodeText } from '../text-encoding.ts'
import { type Archive, checkEntities, withArchive } from './archive.ts'
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

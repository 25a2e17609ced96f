// Books: one page per chapter, in reading order, labelled by the table of contents.
import type { Notice } from '../../../contracts/notices.ts'
import { decodeHtml } from '../html.ts'
import { MediaFailure } from '../../failure.ts'
import { type Archive, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, childAt, childrenOf, descendantsOf, parseXml, resolvePart } from './xml.ts'

const CONTAINER = 'META-INF/container.xml'
const ENCRYPTION = 'META-INF/encryption.xml'
/** Only fonts are obfuscated so; the text is readable. */
const FONTS_ONLY = /^http:\/\/(www\.idpf\.org\/2008\/embedding|ns\.adobe\.com\/pdf\/enc#RC)$/
/** No program shows it: the table of contents tells what a chapter is called. */
const TITLE = /<title\b[^>]*>[^<]*<\/title>/i

/** @throws MediaFailure */
export function readEpub(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    await refuseEncrypted(archive)
    const [root] = descendantsOf(parseXml(await archive.xml(CONTAINER)), 'rootfile')
    const book = attribute(root, 'full-path') ?? ''
    // Older books declare a document type, which is ignored.
    const opf = parseXml(decodeHtml(await archive.bytes(book)))
    const items = childrenOf(childAt(opf, 'manifest'), 'item').map((item) => ({
      id: attribute(item, 'id'),
      part: resolvePart(book, attribute(item, 'href') ?? ''),
      type: attribute(item, 'media-type') ?? '',
      isContents: /\bnav\b/.test(attribute(item, 'properties') ?? ''),
    }))
    const contents = items.find(({ isContents, type }) => isContents || type === 'application/x-dtbncx+xml')
    const titles =
      contents && archive.has(contents.part) ? await titlesOf(archive, contents.part) : new Map<string, string>()
    const parts: UnnumberedPage[] = []
    const unread: string[] = []
    for (const reference of childrenOf(childAt(opf, 'spine'), 'itemref')) {
      const item = items.find(({ id }) => id === attribute(reference, 'idref'))
      if (!item || !/html/.test(item.type) || !archive.has(item.part)) {
        unread.push(item?.part ?? attribute(reference, 'idref') ?? '')
        continue
      }
      const label = titles.get(item.part)
      const notices: Notice[] = []
      const text = markupToMarkdown(decodeHtml(await archive.bytes(item.part)).replace(TITLE, ''), notices)
      const pages = cutLong(text).map((piece): UnnumberedPage => ({
        text: piece,
        ...(label !== undefined && { label }),
      }))
      if (pages[0] && notices.length > 0) pages[0].notices = notices
      parts.push(...pages)
    }
    if (parts[0] && unread.length > 0)
      (parts[0].notices ??= []).push({
        code: 'unreadable',
        message: 'Parts of the book that are missing or are no pages of text are not read',
        count: unread.length,
        places: unread,
      })
    return parts
  })
}

/** Titles of parts in the table of contents; the first entry counts. */
async function titlesOf(archive: Archive, contents: string): Promise<Map<string, string>> {
  const root = parseXml(decodeHtml(await archive.bytes(contents)))
  const titles = new Map<string, string>()
  const add = (target: string | undefined, title: string | null | undefined) => {
    const part = target === undefined ? '' : resolvePart(contents, target.replace(/#.*$/s, ''))
    const words = title?.replaceAll(/\s+/g, ' ').trim() ?? ''
    if (words !== '' && !titles.has(part)) titles.set(part, words)
  }
  for (const link of descendantsOf(root, 'a')) add(attribute(link, 'href'), link.textContent)
  for (const point of descendantsOf(root, 'navPoint'))
    add(attribute(childAt(point, 'content'), 'src'), childAt(point, 'navLabel', 'text')?.textContent)
  return titles
}

async function refuseEncrypted(archive: Archive): Promise<void> {
  if (!archive.has(ENCRYPTION)) return
  for (const method of descendantsOf(parseXml(await archive.xml(ENCRYPTION)), 'EncryptionMethod')) {
    if (!FONTS_ONLY.test(attribute(method, 'Algorithm') ?? ''))
      throw new MediaFailure('encrypted', 'The book is encrypted by its seller')
  }
}

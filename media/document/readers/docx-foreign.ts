// Parts of a Word document that are not Word's: charts, diagrams, and inserted files, as HTML.
import PostalMime from 'postal-mime'
import { decodeHtml } from '../html.ts'
import { parseHtml } from '../html-tree.ts'
import { decodeText } from '../text-encoding.ts'
import { Archive } from './archive.ts'
import { chartParts } from './office-chart.ts'
import type { Marks } from './marks.ts'
import { relationsOf } from './relations.ts'
import { rtfToHtml } from './rtf.ts'
import { escapeHtml } from './xml.ts'

/**
 * HTML by relation of a part; without those that cannot be read.
 * @param readDocx of an inserted Word document
 * @param marks receives what is left out
 * @throws MediaFailure
 */
export async function foreignParts(
  archive: Archive,
  part: string,
  readDocx: (nested: Archive) => Promise<string | undefined>,
  marks: Marks,
): Promise<Map<string, string>> {
  const found = await chartParts(archive, part)
  for (const { id, type, part: target } of await relationsOf(archive, part)) {
    if (!archive.has(target) || !/\/aFChunk$/i.test(type)) continue
    const html = await insertedHtml(await archive.bytes(target), target, readDocx, marks)
    if (html) found.set(id, html)
  }
  return found
}

async function insertedHtml(
  bytes: Buffer,
  name: string,
  readDocx: (nested: Archive) => Promise<string | undefined>,
  marks: Marks,
): Promise<string | undefined> {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  if (bytes.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'))) {
    const nested = await Archive.fromBytes(bytes)
    try {
      return await readDocx(nested)
    } finally {
      nested.close()
    }
  }
  if (bytes.subarray(0, 5).equals(Buffer.from('{\\rtf'))) return rtfToHtml(bytes, marks)
  if (extension.startsWith('mht')) {
    const { html, text } = await PostalMime.parse(bytes)
    return html === undefined ? paragraphs(text ?? '') : bodyOf(html)
  }
  if (/^x?html?$/.test(extension)) return bodyOf(decodeHtml(bytes))
  return extension === 'txt' ? paragraphs(decodeText(bytes)) : undefined
}

function bodyOf(html: string): string {
  return parseHtml(html).body.innerHTML
}

function paragraphs(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => `<p>${escapeHtml(line)}</p>`)
    .join('')
}

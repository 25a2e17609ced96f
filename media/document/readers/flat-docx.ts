// Word documents that are one XML file with all parts of the archive that a DOCX is.
import { readFile } from 'node:fs/promises'
import { zipSync } from 'fflate'
import { decodeText } from '../text-encoding.ts'
import { Archive, checkEntities } from './archive.ts'
import { docxPages } from './docx.ts'
import type { UnnumberedPage } from './table.ts'

const PART = /<pkg:part\b[^>]*?\bpkg:name="\/([^"]+)"[^>]*>([\s\S]*?)<\/pkg:part>/g
const CONTENT = /<pkg:(xmlData|binaryData)\b[^>]*>([\s\S]*)<\/pkg:\1>/

/** @throws MediaFailure */
export async function readFlatDocx(path: string): Promise<UnnumberedPage[]> {
  const parts: Record<string, Uint8Array> = {}
  for (const [, name = '', part = ''] of checkEntities(decodeText(await readFile(path))).matchAll(PART)) {
    const [, form, content = ''] = CONTENT.exec(part) ?? []
    if (form !== undefined) parts[name] = Buffer.from(content, form === 'binaryData' ? 'base64' : 'utf8')
  }
  const archive = await Archive.fromBytes(Buffer.from(zipSync(parts, { level: 0 })))
  try {
    return await docxPages(archive)
  } finally {
    archive.close()
  }
}

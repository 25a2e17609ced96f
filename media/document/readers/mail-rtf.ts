// The body of a mail of Outlook that is only compressed RTF.
import { decompressRTF } from '@kenjiuno/decompressrtf'
import type { Notice } from '../../../contracts/notices.ts'
import type { Body } from './mail-parts.ts'
import { Marks } from './marks.ts'
import { rtfToHtml } from './rtf.ts'

/** @param notices receives what is left out */
export function rtfBodies(compressed: Uint8Array, notices: Notice[]): Body[] {
  const marks = new Marks()
  const html = rtfToHtml(Buffer.from(decompressRTF([...compressed])), marks)
  const { text, notices: left = [] } = marks.page(html)
  notices.push(...left)
  return text === '' ? [] : [{ html: text }]
}

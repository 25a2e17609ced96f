// Mails and other items of Outlook (.msg), as the same parts that a MIME mail has.
import { createRequire } from 'node:module'
import { decompressRTF } from '@kenjiuno/decompressrtf'
import type * as MsgModuleTypes from '@kenjiuno/msgreader'
import type { FieldsData } from '@kenjiuno/msgreader'
import type { Address } from 'postal-mime'
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { type Attached, type Mail, named } from './mail.ts'
import type { Body } from './mail-parts.ts'
import { decodeMarkup } from './mail-text.ts'

// Its default export stands within another one in ES modules (1.28.0, November 2026).
const { default: MsgReader } = createRequire(import.meta.url)('@kenjiuno/msgreader') as typeof MsgModuleTypes

/** Windows code pages by their numbers; the others are named after their standards. */
const CODE_PAGES: Readonly<Record<number, string>> = {
  20932: 'euc-jp',
  50220: 'iso-2022-jp',
  51949: 'euc-kr',
  54936: 'gb18030',
  65001: 'utf-8',
}

/** @throws MediaFailure */
export function parseMsg(bytes: Buffer): Mail {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let reader = new MsgReader(view)
  let item = reader.getFileData()
  // Texts that are not Unicode are in the code page that the item names.
  const codePage = item.messageCodepage ?? item.internetCodepage
  if (codePage !== undefined && codePage !== 1_252) {
    reader = new MsgReader(view)
    reader.parserConfig = { ansiEncoding: encodingOf(codePage) }
    item = reader.getFileData()
  }
  if (item.error !== undefined) throw new MediaFailure('damaged', 'The mail is damaged and cannot be read')
  const notices: Notice[] = []
  const files = (item.attachments ?? []).flatMap((attachment): Attached[] => {
    if (attachment.attachmentHidden || (attachment.pidContentId && isShown(attachment, item))) {
      notices.push({ code: 'left_out', message: 'Pictures shown in the body of a mail are not read', count: 1 })
      return []
    }
    const { fileName, content } = reader.getAttachment(attachment)
    return [
      { name: attachment.name && attachment.innerMsgContent ? `${attachment.name}.msg` : fileName, bytes: content },
    ]
  })
  const bodies = bodiesOf(item)
  const rtf = bodies.length === 0 && item.compressedRtf ? [rtfBody(item.compressedRtf)] : []
  return {
    ...headersOf(item),
    bodies,
    attached: named([...rtf, ...files]),
    notices,
  }
}

function encodingOf(codePage: number): string {
  return (
    CODE_PAGES[codePage] ??
    (codePage >= 28_591 && codePage <= 28_605 ? `iso-8859-${codePage - 28_590}` : `cp${codePage}`)
  )
}

/** A picture that the HTML body shows by its content id. */
function isShown({ pidContentId, extension = '' }: FieldsData, { html, bodyHtml = '' }: FieldsData): boolean {
  if (!/^\.(?:png|jpe?g|gif|bmp|tiff?|emz|wmz|svg)$/i.test(extension)) return false
  return (html ? Buffer.from(html).toString('latin1') : bodyHtml).includes(`cid:${pidContentId}`)
}

function bodiesOf({ body = '', bodyHtml = '', html, internetCodepage }: FieldsData): Body[] {
  const charset =
    internetCodepage === undefined ? undefined : encodingOf(internetCodepage).replace(/^cp125/, 'windows-125')
  const markup = html ? decodeMarkup(html, charset).text : bodyHtml
  const forms: Body[][] = []
  if (body.trim() !== '') forms.push([{ text: body }])
  if (markup.trim() !== '') forms.push([{ html: markup }])
  return forms.length > 1 ? [{ alternatives: forms }] : forms.flat()
}

/** The only body of some items: a file of its own, for the reader of RTF. */
function rtfBody(compressed: Uint8Array): Attached {
  return { name: 'body.rtf', bytes: Uint8Array.from(decompressRTF([...compressed])) }
}

function headersOf(item: FieldsData): Pick<Mail, 'from' | 'to' | 'cc' | 'date' | 'subject'> {
  const { senderName = '', recipients = [], subject } = item
  const address = item.senderSmtpAddress ?? item.sentRepresentingSmtpAddress ?? item.senderEmail ?? ''
  const date = item.messageDeliveryTime ?? item.clientSubmitTime ?? item.creationTime
  const parsed = date === undefined ? NaN : Date.parse(date)
  const of = (type: string) => recipients.filter(({ recipType = 'to' }) => recipType === type).map(person)
  return {
    ...((senderName || address) && { from: [{ name: senderName, address: smtp(address) }] }),
    to: of('to'),
    cc: of('cc'),
    ...(Number.isFinite(parsed) && { date: new Date(parsed).toISOString() }),
    ...(subject !== undefined && { subject }),
  }
}

function person({ name = '', smtpAddress, email = '' }: FieldsData): Address {
  return { name, address: smtp(smtpAddress ?? email) }
}

/** Exchange has addresses of another form. */
function smtp(address: string): string {
  return address.includes('@') ? address : ''
}

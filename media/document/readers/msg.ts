// Mails and other items of Outlook (.msg), as the same parts that a MIME mail has.
import { createRequire } from 'node:module'
import type * as MsgModuleTypes from '@kenjiuno/msgreader'
import type { FieldsData } from '@kenjiuno/msgreader'
import type { Address } from 'postal-mime'
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { type Attached, type Mail, named } from './mail.ts'
import type { Body } from './mail-parts.ts'
import { rtfBodies } from './mail-rtf.ts'
import { decodeMarkup } from './mail-text.ts'

// Its default export stands within another one in ES modules (1.28.0, November 2026).
const { default: MsgReader } = createRequire(import.meta.url)('@kenjiuno/msgreader') as typeof MsgModuleTypes

/** Code pages of mails, as the code page of Windows in which such a system stores texts. */
const STORED_AS: Readonly<Record<number, string>> = {
  20127: 'cp1252',
  20866: 'cp1251',
  20932: 'cp932',
  28591: 'cp1252',
  50220: 'cp932',
  50221: 'cp932',
  50222: 'cp932',
  51932: 'cp932',
  51949: 'cp949',
  54936: 'cp936',
  65001: 'utf-8',
}
/** Those of HTML bodies that are not called after their number. */
const MARKUP: Readonly<Record<number, string>> = {
  932: 'shift_jis',
  936: 'gbk',
  949: 'euc-kr',
  950: 'big5',
  20127: 'us-ascii',
  20866: 'koi8-r',
  20932: 'euc-jp',
  50220: 'iso-2022-jp',
  50221: 'iso-2022-jp',
  50222: 'iso-2022-jp',
  51932: 'euc-jp',
  51949: 'euc-kr',
  54936: 'gb18030',
  65001: 'utf-8',
}
/** What appointments and contacts have beside a body. */
const DETAILS: readonly [string, keyof FieldsData][] = [
  ['Start', 'apptStartWhole'],
  ['End', 'apptEndWhole'],
  ['Location', 'apptLocation'],
  ['Company', 'companyName'],
  ['Department', 'departmentName'],
  ['Title', 'title'],
  ['E-mail', 'email1EmailAddress'],
  ['Telephone', 'businessTelephoneNumber'],
  ['Mobile', 'mobileTelephoneNumber'],
  ['Telephone at home', 'homeTelephoneNumber'],
  ['Fax', 'businessFaxNumber'],
  ['Address', 'workAddress'],
  ['Postal address', 'postalAddress'],
  ['Page', 'businessHomePage'],
  ['Vote', 'votingResponse'],
]

/** @throws MediaFailure */
export function parseMsg(bytes: Buffer): Mail {
  try {
    return parse(bytes)
  } catch (cause) {
    throw new MediaFailure('damaged', 'The mail is damaged and cannot be read', { cause })
  }
}

function parse(bytes: Buffer): Mail {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let reader = new MsgReader(view)
  let item = reader.getFileData()
  // Texts that are not Unicode are in the code page that the item names.
  const codePage = item.messageCodepage ?? item.internetCodepage
  if (codePage !== undefined && codePage !== 1_252 && codePage !== 1_200) {
    reader = new MsgReader(view)
    reader.parserConfig = { ansiEncoding: STORED_AS[codePage] ?? `cp${codePage}` }
    item = reader.getFileData()
  }
  if (item.error !== undefined) throw new Error(item.error)
  const notices: Notice[] = []
  const files = (item.attachments ?? []).flatMap((attachment): Attached[] => {
    if (attachment.attachmentHidden || (attachment.pidContentId && isShown(attachment, item))) {
      notices.push({ code: 'left_out', message: 'Pictures shown in the body of a mail are not read', count: 1 })
      return []
    }
    const { fileName, content } = reader.getAttachment(attachment)
    const isItem = attachment.name !== undefined && attachment.innerMsgContent
    return [{ name: isItem ? `${attachment.name}.msg` : fileName, bytes: content }]
  })
  const bodies = bodiesOf(item)
  if (bodies.length === 0 && item.compressedRtf) bodies.push(...rtfBodies(item.compressedRtf, notices))
  return { ...headersOf(item), bodies: [...detailsOf(item), ...bodies], attached: named(files), notices }
}

function detailsOf(item: FieldsData): Body[] {
  const lines = DETAILS.flatMap(([name, field]) => {
    const value = item[field]
    return typeof value === 'string' && value.trim() !== '' ? [`${name}: ${value}`] : []
  })
  return lines.length > 0 ? [{ text: lines.join('\n') }] : []
}

/** A picture that the HTML body shows by its content id. */
function isShown({ pidContentId, extension = '' }: FieldsData, { html, bodyHtml = '' }: FieldsData): boolean {
  if (!/^\.(?:png|jpe?g|gif|bmp|tiff?|emz|wmz|svg)$/i.test(extension)) return false
  return (html ? Buffer.from(html).toString('latin1') : bodyHtml).includes(`cid:${pidContentId}`)
}

function bodiesOf({ body = '', bodyHtml = '', html, internetCodepage }: FieldsData): Body[] {
  const charset = internetCodepage === undefined ? undefined : markupCharset(internetCodepage)
  const markup = html ? decodeMarkup(html, charset).text : bodyHtml
  const forms: Body[][] = []
  if (body.trim() !== '') forms.push([{ text: body }])
  if (markup.trim() !== '') forms.push([{ html: markup }])
  return forms.length > 1 ? [{ alternatives: forms }] : forms.flat()
}

function markupCharset(codePage: number): string {
  const isIso = codePage >= 28_591 && codePage <= 28_605
  return MARKUP[codePage] ?? (isIso ? `iso-8859-${codePage - 28_590}` : `windows-${codePage}`)
}

function headersOf(item: FieldsData): Pick<Mail, 'from' | 'to' | 'cc' | 'bcc' | 'date' | 'subject'> {
  const { senderName = '', recipients = [], subject } = item
  const address = item.senderSmtpAddress ?? item.sentRepresentingSmtpAddress ?? item.senderEmail ?? ''
  const date = item.messageDeliveryTime ?? item.clientSubmitTime ?? item.creationTime
  // What came by the internet keeps its header.
  const written = /^Date:[ \t]*(\S.*)$/im.exec(item.headers ?? '')?.[1]?.trim()
  const parsed = date === undefined ? NaN : Date.parse(date)
  const of = (type: string) => recipients.filter(({ recipType = 'to' }) => recipType === type).map(person)
  return {
    ...((senderName || address) && { from: [{ name: senderName, address: smtp(address) }] }),
    to: of('to'),
    cc: of('cc'),
    bcc: of('bcc'),
    ...(written ? { date: written } : Number.isFinite(parsed) && { date: new Date(parsed).toISOString() }),
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

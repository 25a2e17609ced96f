// TNEF (winmail.dat): the mails of Outlook as other programs receive them, with the files attached to them.
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { decodeBytes } from '../decode-bytes.ts'
import { type Attached, type Mail, named } from './mail.ts'
import type { Body } from './mail-parts.ts'
import { rtfBodies } from './mail-rtf.ts'
import { decodeMarkup } from './mail-text.ts'

const SIGNATURE = 0x223e9f78
/** Attributes, without their types. */
const SUBJECT = 0x8004
const TITLE = 0x8010
const DATA = 0x800f
const BODY = 0x800c
const PROPERTIES = 0x9003
const NEW_FILE = 0x9002
const FILE_PROPERTIES = 0x9005
const CODE_PAGE = 0x9007
/** Properties, as in MSG files. */
const LONG_NAME = 0x3707
const FILE_DATA = 0x3701
const SUBJECT_TEXT = 0x0037
const BODY_TEXT = 0x1000
const BODY_RTF = 0x1009
const BODY_HTML = 0x1013
const DISPLAY_NAME = 0x3001

type Properties = Map<number, Buffer | string>

/** @throws MediaFailure */
export function parseTnef(bytes: Buffer): Mail {
  try {
    return parse(bytes)
  } catch (cause) {
    throw new MediaFailure('damaged', 'The mail is damaged and cannot be read', { cause })
  }
}

function parse(bytes: Buffer): Mail {
  if (bytes.readUInt32LE(0) !== SIGNATURE) throw new Error('it has another signature')
  let encoding = 'windows-1252'
  let subject = ''
  let plain = ''
  let own: Properties = new Map()
  const files: { name: string; bytes: Buffer; properties: Properties }[] = []
  for (const { id, data } of attributesOf(bytes)) {
    const file = files.at(-1)
    if (id === CODE_PAGE) encoding = known(`windows-${data.readUInt32LE(0)}`)
    else if (id === SUBJECT) subject = text(data, encoding)
    else if (id === BODY) plain = text(data, encoding)
    else if (id === PROPERTIES) own = propertiesOf(data, encoding)
    else if (id === NEW_FILE) files.push({ name: '', bytes: Buffer.alloc(0), properties: new Map() })
    else if (file && id === TITLE) file.name = text(data, encoding)
    else if (file && id === DATA) file.bytes = data
    else if (file && id === FILE_PROPERTIES) file.properties = propertiesOf(data, encoding)
  }
  const title = stringOf(own.get(SUBJECT_TEXT)) ?? subject
  return {
    ...(title !== '' && { subject: title }),
    ...contentOf(own, plain, files.map(attachedOf)),
  }
}

function contentOf(own: Properties, plain: string, files: Attached[]): Pick<Mail, 'bodies' | 'attached' | 'notices'> {
  const html = own.get(BODY_HTML)
  const markup = typeof html === 'string' ? html : html === undefined ? '' : decodeMarkup(html, undefined).text
  const words = stringOf(own.get(BODY_TEXT)) ?? plain
  const forms: Body[][] = []
  if (words.trim() !== '') forms.push([{ text: words }])
  if (markup.trim() !== '') forms.push([{ html: markup }])
  const rtf = own.get(BODY_RTF)
  const notices: Notice[] = []
  if (forms.length === 0 && rtf instanceof Buffer) forms.push(rtfBodies(rtf, notices))
  return { bodies: forms.length > 1 ? [{ alternatives: forms }] : forms.flat(), attached: named(files), notices }
}

/** A mail that is attached stands in a property, behind 16 bytes that say so. */
function attachedOf({ name, bytes, properties }: { name: string; bytes: Buffer; properties: Properties }): Attached {
  const data = properties.get(FILE_DATA)
  const content = bytes.length === 0 && data instanceof Buffer ? data : bytes
  const isMail = content.length > 20 && content.readUInt32LE(16) === SIGNATURE
  const called = stringOf(properties.get(LONG_NAME)) ?? (name || (stringOf(properties.get(DISPLAY_NAME)) ?? ''))
  return { name: isMail ? `${called || 'Forwarded mail'}.dat` : called, bytes: isMail ? content.subarray(16) : content }
}

function* attributesOf(bytes: Buffer): Generator<{ id: number; data: Buffer }> {
  // A level, a name with its type, and a length stand before the data, and a checksum behind it.
  for (let at = 6; at + 9 <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 5)
    if (at + 9 + length > bytes.length) throw new Error('it is cut off')
    yield { id: bytes.readUInt16LE(at + 1), data: bytes.subarray(at + 9, at + 9 + length) }
    at += 9 + length + 2
  }
}

function propertiesOf(data: Buffer, encoding: string): Properties {
  const found: Properties = new Map()
  let at = 4
  const take = (length: number): Buffer => {
    if (at + length > data.length) throw new Error('a property is cut off')
    const taken = data.subarray(at, at + length)
    at += Math.ceil(length / 4) * 4
    return taken
  }
  const takeSized = (): Buffer => take(take(4).readUInt32LE(0))
  for (let count = data.readUInt32LE(0); count > 0; count -= 1) {
    const head = take(4)
    const [type, id] = [head.readUInt16LE(0), head.readUInt16LE(2)]
    if (id >= 0x8000) {
      take(16)
      if (take(4).readUInt32LE(0) === 0) take(4)
      else takeSized()
    }
    const isMany = (type & 0x1000) !== 0
    const kind = type & 0xfff
    const size = SIZES.get(kind)
    const values = isMany || size === undefined ? take(4).readUInt32LE(0) : 1
    for (let value = 0; value < values; value += 1) {
      const bytes = size === undefined ? takeSized() : take(size)
      if (kind === 0x1e) found.set(id, text(bytes, encoding))
      else if (kind === 0x1f) found.set(id, bytes.toString('utf16le').replace(/\0+$/, ''))
      else if (kind === 0x102 || kind === 0x0d) found.set(id, bytes)
    }
  }
  return found
}

/** Bytes of values of a fixed size, by their type. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [0x02, 2],
  [0x03, 4],
  [0x04, 4],
  [0x05, 8],
  [0x06, 8],
  [0x07, 8],
  [0x0a, 4],
  [0x0b, 4],
  [0x14, 8],
  [0x40, 8],
  [0x48, 16],
])

function text(bytes: Buffer, encoding: string): string {
  return decodeBytes(bytes, encoding).replace(/\0+$/, '')
}

function stringOf(value: Buffer | string | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function known(encoding: string): string {
  try {
    return new TextDecoder(CODE_PAGES[encoding] ?? encoding).encoding
  } catch {
    return 'windows-1252'
  }
}

const CODE_PAGES: Readonly<Record<string, string>> = {
  'windows-932': 'shift_jis',
  'windows-936': 'gbk',
  'windows-949': 'euc-kr',
  'windows-950': 'big5',
  'windows-65001': 'utf-8',
}

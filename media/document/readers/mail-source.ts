// The bytes of mails in files: one mail with what programs write before it, or many in an mbox.
import { decodeBytes } from '../decode-bytes.ts'
import { textEncoding } from '../text-encoding.ts'
import { utf8Header } from './mail-text.ts'

const FROM_LINE = /^>?From [^\r\n]*\r?\n/
/** A header field, or a continued line of one. */
const FIELD = /^(?:[!-9;-~]+:|[ \t])/
const SEPARATOR = Buffer.from('\nFrom ')

/** The mails of an mbox in order; a file with one mail gives one. */
export function splitMbox(bytes: Buffer): Buffer[] {
  const source = asUtf8(bytes)
  const starts = [0]
  for (let at = source.indexOf(SEPARATOR); at >= 0; at = source.indexOf(SEPARATOR, at + 1))
    if (isStart(source, at + 1)) starts.push(at + 1)
  return starts.map((start, index) => unescaped(source.subarray(start, starts[index + 1])))
}

/** A mail as RFC 822 has it: UTF-8 instead of UTF-16, without a `From ` line or byte count before it. */
export function plainSource(bytes: Buffer): Buffer {
  let source = asUtf8(bytes)
  if (!source.includes('\n')) source = Buffer.from(source.toString('latin1').replaceAll('\r', '\n'), 'latin1')
  const head = source.subarray(0, 2_000).toString('latin1')
  const count = /^(\d{1,10})\s*\n(?=[\w-]+:)/.exec(head)
  // Apple Mail writes the length first, and a property list after the mail.
  if (count) source = source.subarray(count[0].length, count[0].length + Number(count[1]))
  const before = /^\s*/.exec(head)![0]
  const line = FROM_LINE.exec(head.slice(before.length))
  if (!count) source = source.subarray(before.length + (line?.[0].length ?? 0))
  const end = source.toString('latin1', 0, 2 ** 20).search(/\r?\n\r?\n/)
  const header = source.subarray(0, end < 0 ? source.length : end)
  const readable = utf8Header(header)
  return readable === header ? source : Buffer.concat([readable, source.subarray(header.length)])
}

function asUtf8(bytes: Buffer): Buffer {
  const encoding = bytes.subarray(0, 4).includes(0) || bytes[0]! >= 0xfe ? textEncoding(bytes) : undefined
  if (encoding !== undefined && /^utf-(?:16|32)/.test(encoding)) return Buffer.from(decodeBytes(bytes, encoding))
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return hasMark ? bytes.subarray(3) : bytes
}

/** After an empty line, with a header below it: text may begin a line with `From ` too. */
function isStart(source: Buffer, at: number): boolean {
  const before = source.toString('latin1', Math.max(0, at - 4), at)
  if (!/\n\r?\n$/.test(before)) return false
  const [line = '', next = ''] = source.toString('latin1', at, at + 2_000).split(/\r?\n/)
  return /\d\d:\d\d/.test(line) && FIELD.test(next.replace(/^>/, ''))
}

/** Lines of the text that begin with `From ` have a mark in an mbox. */
function unescaped(mail: Buffer): Buffer {
  if (!mail.includes('\n>From ')) return mail
  return Buffer.from(mail.toString('latin1').replaceAll('\n>From ', '\nFrom '), 'latin1')
}

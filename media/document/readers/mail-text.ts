// The text of a part of a mail: by its declared character set where that fits, otherwise detected.
import { decodeHtml } from '../html.ts'
import { decodeBytes } from '../decode-bytes.ts'
import { textEncoding, tryDecode } from '../text-encoding.ts'

export interface DecodedText {
  text: string
  /** Whether the character set is a guess against what was declared. */
  isGuess: boolean
}

/** Names that mails use, and the encoding standard does not have. */
const ALIASES: Readonly<Record<string, string>> = {
  cp932: 'shift_jis',
  'x-sjis-jp': 'shift_jis',
  cp936: 'gbk',
  cp949: 'euc-kr',
  cp950: 'big5',
  utf8mb4: 'utf-8',
}
/** Labels that say nothing about bytes beyond ASCII. */
const UNDECLARED = /^(?:us-ascii|ascii|ansi_x3\.4-1968|unknown.*|x-unknown|x-user-defined|default|binary|7bit|8bit)$/

/** @param charset as declared */
export function decodePlain(bytes: Uint8Array, charset: string | undefined): DecodedText {
  const declared = encodingOf(charset)
  if (declared === undefined) return { text: decodeBytes(bytes, detected(bytes)), isGuess: isUnknown(charset) }
  // What is UTF-8 with characters beyond ASCII is nothing else, whatever a mail says.
  const encoding = isMultibyteUtf8(bytes) ? 'utf-8' : declared
  const text = tryDecode(bytes, encoding)
  if (text !== undefined) return { text, isGuess: false }
  return { text: decodeBytes(bytes, detected(bytes)), isGuess: true }
}

/** HTML may declare its character set itself. */
export function decodeMarkup(bytes: Uint8Array, charset: string | undefined): DecodedText {
  const declared = encodingOf(charset)
  if (declared !== undefined) return decodePlain(bytes, declared)
  return { text: decodeHtml(bytes, { undeclared: detected(bytes) }), isGuess: isUnknown(charset) }
}

/** A header with bytes beyond ASCII, which declares no character set, in UTF-8. */
export function utf8Header(bytes: Buffer): Buffer {
  const encoding = detected(bytes)
  return encoding === 'utf-8' ? bytes : Buffer.from(decodeBytes(bytes, encoding))
}

function detected(bytes: Uint8Array): string {
  return textEncoding(bytes) ?? 'windows-1252'
}

function encodingOf(charset: string | undefined): string | undefined {
  const name = charset?.trim().toLowerCase() ?? ''
  if (name === '' || UNDECLARED.test(name)) return undefined
  try {
    const { encoding } = new TextDecoder(ALIASES[name] ?? name)
    return encoding
  } catch {
    return undefined
  }
}

function isUnknown(charset: string | undefined): boolean {
  const name = charset?.trim().toLowerCase() ?? ''
  return name !== '' && !UNDECLARED.test(name)
}

function isMultibyteUtf8(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte >= 0x80) && tryDecode(bytes, 'utf-8') !== undefined
}

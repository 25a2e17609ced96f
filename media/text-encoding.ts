// How text is written, by its bytes: marks first, then what is valid, then what its language makes likely.
import { analyse } from 'chardet'

/** So much of a text is looked at where its encoding must be guessed, in bytes. */
const LOOKED_AT = 65_536
/** Of a guess, in percent; what gets less is refuted by the next look. */
const LEAST_CONFIDENCE = 10
/** Names for `TextDecoder` of what `chardet` names after a standard that hardly anybody writes: with the letters of Windows beside it. */
const WINDOWS: Record<string, string> = {
  'ISO-8859-1': 'windows-1252',
  'ISO-8859-2': 'windows-1250',
  'ISO-8859-7': 'windows-1253',
  'ISO-8859-8': 'windows-1255',
  'ISO-8859-9': 'windows-1254',
}

/** Bytes as text, in whatever encoding; in UTF-8 where none is known. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(textEncoding(bytes) ?? 'utf-8').decode(bytes)
}

/** The encoding of these bytes, as `TextDecoder` names it; undefined when they are no text. They may end within a character. */
export function textEncoding(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return isIn('utf-16le', bytes) ? 'utf-16le' : undefined
  if (first === 0xfe && second === 0xff) return isIn('utf-16be', bytes) ? 'utf-16be' : undefined
  const head = bytes.subarray(0, LOOKED_AT)
  const { zero, control, high } = countBytes(head)
  if (zero > 0) return utf16Of(head)
  if (control > 0) return undefined
  // With escapes in it, it may be old Japanese text, or the recording of a terminal.
  if (head.includes(0x1b) && analyse(head)[0]?.name === 'ISO-2022-JP') return 'iso-2022-jp'
  if (isIn('utf-8', bytes)) return 'utf-8'
  // Whoever writes text ends a line somewhere, or sets a space.
  if (!head.some((byte) => byte < 0x40)) return undefined
  const start = Math.max(0, bytes.findIndex((byte) => byte >= 0x80) - LOOKED_AT / 2)
  return guess(bytes.subarray(start, start + LOOKED_AT)) ?? (high < head.length * 0.3 ? 'windows-1252' : undefined)
}

function guess(bytes: Uint8Array): string | undefined {
  const windows = bytes.some((byte) => byte >= 0x80 && byte < 0xa0)
  for (const { name, confidence } of analyse(bytes)) {
    if (confidence < LEAST_CONFIDENCE) return undefined
    const encoding = (windows && WINDOWS[name]) || name
    // EBCDIC and its like are of machines that send us nothing.
    if (isKnown(encoding) && isIn(encoding, bytes)) return encoding.toLowerCase()
  }
  return undefined
}

/** UTF-16 without a mark: the order in which spaces and ends of lines are seen. */
function utf16Of(head: Uint8Array): string | undefined {
  const [best] = ['utf-16le', 'utf-16be']
    .filter((encoding) => isIn(encoding, head))
    .map((encoding) => {
      const text = new TextDecoder(encoding).decode(head)
      const seen = text.match(/[ \n\u3000\u3001\u3002]/g)?.length ?? 0
      const odd = text.match(/[^\p{L}\p{M}\p{N}\p{P}\p{S}\s]/gu)?.length ?? 0
      return { encoding, seen, odd: odd / text.length }
    })
    .filter(({ seen, odd }) => seen > 0 && odd < 0.02)
    .sort((one, other) => other.seen - one.seen)
  return best?.encoding
}

function countBytes(head: Uint8Array): { zero: number; control: number; high: number } {
  let zero = 0
  let control = 0
  let high = 0
  for (const byte of head) {
    if (byte === 0) zero++
    // Tab to carriage return, and the escape of terminal recordings, do occur in text.
    else if (byte < 0x20 ? !((byte >= 0x09 && byte <= 0x0d) || byte === 0x1b) : byte === 0x7f) control++
    else if (byte >= 0x80) high++
  }
  return { zero, control, high }
}

function isKnown(encoding: string): boolean {
  try {
    return Boolean(new TextDecoder(encoding))
  } catch {
    return false
  }
}

function isIn(encoding: string, bytes: Uint8Array): boolean {
  try {
    // `stream`: a character cut in two by the end of what we were given is no fault.
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true })
    // oxlint-disable-next-line no-control-regex -- no text holds them
    return !/[\u0000-\u0008\u0080-\u009f]/.test(text)
  } catch {
    return false
  }
}

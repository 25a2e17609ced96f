// Detects text encodings: byte order marks, then validity, then statistics.
import { stripVTControlCharacters } from 'node:util'
import { analyse } from 'chardet'
import { decodeBytes, utf32Of } from './decode-bytes.ts'

/** Bytes of a text that are used for statistics. */
const LOOKED_AT = 65_536
/** Largest share of NUL and control characters in text. */
const CONTROL_SHARE = 0.05
/** Lowest accepted confidence of a guess, in percent. */
const LEAST_CONFIDENCE = 10
/** `TextDecoder` names for `chardet` results: the Windows superset of the ISO standard, which is far more common. */
const WINDOWS: Record<string, string> = {
  'ISO-8859-1': 'windows-1252',
  'ISO-8859-2': 'windows-1250',
  'ISO-8859-7': 'windows-1253',
  'ISO-8859-8': 'windows-1255',
  'ISO-8859-9': 'windows-1254',
}

// oxlint-disable-next-line no-control-regex -- they are what is taken out
const CONTROLS = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f]/g

/** Decodes bytes in the detected encoding, in UTF-8 if unknown, without control characters and colours of terminals. */
export function decodeText(bytes: Uint8Array): string {
  const text = decodeBytes(bytes, textEncoding(bytes) ?? 'utf-8')
  return (text.includes('\u001b') ? stripVTControlCharacters(text) : text).replace(CONTROLS, '')
}

/** The encoding of these bytes, as `decodeBytes` takes it; undefined for binary data. They may end within a character. */
export function textEncoding(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  const quadruple = utf32Of(bytes)
  if (quadruple !== undefined) return quadruple
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return isIn('utf-16le', bytes) ? 'utf-16le' : undefined
  if (first === 0xfe && second === 0xff) return isIn('utf-16be', bytes) ? 'utf-16be' : undefined
  const head = bytes.subarray(0, LOOKED_AT)
  const { zero, control, high } = countBytes(head)
  const wide = zero > 0 ? utf16Of(head) : undefined
  if (wide !== undefined) return wide
  if (zero + control > head.length * CONTROL_SHARE) return undefined
  // With escape characters, it may be ISO-2022-JP, or a terminal recording.
  if (head.includes(0x1b) && analyse(head)[0]?.name === 'ISO-2022-JP') return 'iso-2022-jp'
  if (isIn('utf-8', bytes)) return 'utf-8'
  // Text contains spaces or line ends.
  if (!head.some((byte) => byte < 0x40)) return undefined
  const start = Math.max(0, bytes.findIndex((byte) => byte >= 0x80) - LOOKED_AT / 2)
  const sample = bytes.subarray(start, start + LOOKED_AT)
  const guessed = guess(sample) ?? (high < head.length * 0.3 ? 'windows-1252' : undefined)
  return betterGuess(sample, guessed) ?? guessed
}

/** What statistics do not know: the code pages of DOS and the Macintosh, and short texts in Japanese. */
const CYRILLIC = /\p{Script=Cyrillic}/u
const RARE: readonly [string, RegExp][] = [
  ['ibm437', /\p{Script=Latin}/u],
  ['ibm850', /\p{Script=Latin}/u],
  ['macintosh', /\p{Script=Latin}/u],
  ['ibm866', CYRILLIC],
]
/** Smallest share of characters beyond ASCII that are plausible in another encoding, and how much it must be better. */
const PLAUSIBLE = 0.6
const BETTER = 0.2

function betterGuess(bytes: Uint8Array, guessed: string | undefined): string | undefined {
  const japanese = tryDecode(bytes, 'shift_jis')
  if (japanese !== undefined && share(japanese, (at) => /[\u3040-\u30ff\u3000-\u3002]/.test(at.character)) > 0.5)
    return 'shift_jis'
  const known =
    guessed === undefined ? 0 : share(decodeBytes(bytes, guessed), (at) => isInWord(at) || isPunctuation(at))
  const isAsciiMostly = bytes.filter((byte) => byte >= 0x80).length < bytes.length * 0.3
  const [best] = RARE.filter(([, script]) => isAsciiMostly || script === CYRILLIC)
    .map(([encoding, script]) => ({
      encoding,
      found: share(
        decodeBytes(bytes, encoding),
        (at) => /\p{Ll}/u.test(at.character) && script.test(at.character) && isInWord(at),
      ),
    }))
    .toSorted((one, other) => other.found - one.found)
  return best && best.found >= PLAUSIBLE && best.found > known + BETTER ? best.encoding : undefined
}

/** A letter beside letters of its kind: small ones, or those of a script without small ones. */
function isInWord({ character, before, after }: Place): boolean {
  if (/\p{Ll}/u.test(character)) return /\p{L}/u.test(before) || /\p{Ll}/u.test(after)
  return /\p{Lo}/u.test(character) && !(/[a-z]/i.test(before) && /[a-z]/i.test(after))
}

function isPunctuation({ character, before, after }: Place): boolean {
  if (/[“”‘„‚]/.test(character)) return !(/\p{L}/u.test(before) && /\p{L}/u.test(after))
  return /[’–—…€£§°©®«»\u00a0]/.test(character)
}

interface Place {
  character: string
  before: string
  after: string
}

/** Of all characters beyond ASCII. */
function share(text: string, isGood: (at: Place) => boolean): number {
  let all = 0
  let good = 0
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index]!
    // Lines and blocks of tables tell nothing.
    if (character < '\u0080' || (character >= '\u2500' && character <= '\u259f')) continue
    all += 1
    if (isGood({ character, before: text[index - 1] ?? ' ', after: text[index + 1] ?? ' ' })) good += 1
  }
  return all === 0 ? 0 : good / all
}

function guess(bytes: Uint8Array): string | undefined {
  const windows = bytes.some((byte) => byte >= 0x80 && byte < 0xa0)
  for (const { name, confidence } of analyse(bytes)) {
    if (confidence < LEAST_CONFIDENCE) return undefined
    const encoding = (windows && WINDOWS[name]) || name
    // EBCDIC is not expected.
    if (isKnown(encoding) && isIn(encoding, bytes)) return encoding.toLowerCase()
  }
  return undefined
}

/** UTF-16 without a byte order mark: detected by the byte order of spaces and line ends. */
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

// oxlint-disable-next-line no-control-regex -- what text hardly holds
const ODD = /[\u0000-\u0008\u0080-\u009f]/g

function isKnown(encoding: string): boolean {
  try {
    return Boolean(new TextDecoder(encoding))
  } catch {
    return false
  }
}

function isIn(encoding: string, bytes: Uint8Array): boolean {
  try {
    // `stream`: an incomplete character at the end is not an error.
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true })
    const odd = text.match(ODD)?.length ?? 0
    return odd <= (encoding.startsWith('utf-') ? text.length * CONTROL_SHARE : 0)
  } catch {
    return false
  }
}

/** The text of bytes; undefined when they are not in the encoding. */
export function tryDecode(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

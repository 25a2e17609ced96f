// Names of files in archives: decoded, since old programs note no character set, and checked.
import { analyse } from 'chardet'
import { MediaFailure } from '../../failure.ts'
import { decodeBytes } from '../decode-bytes.ts'
import { tryDecode } from '../text-encoding.ts'

/**
 * Character sets in which Windows of East Asia names files in archives, with the first bytes of the characters of daily
 * use.
 */
const EAST_ASIAN: readonly { name: string; encoding: string; common: readonly [number, number][] }[] = [
  {
    name: 'Shift_JIS',
    encoding: 'shift_jis',
    common: [
      [0x82, 0x83],
      [0x88, 0x97],
    ],
  },
  { name: 'Big5', encoding: 'big5', common: [[0xa4, 0xc6]] },
  { name: 'EUC-KR', encoding: 'euc-kr', common: [[0xb0, 0xc8]] },
  { name: 'GB18030', encoding: 'gb18030', common: [[0xb0, 0xd7]] },
]
/** Lowest accepted confidence of statistics, in percent, and share of common characters without them. */
const SURE = 50
const ENOUGH = 0.6
/** Statistics want a longer text than names are. */
const REPEATED = 40
/** Names of Western Europe have fewer letters with accents; half of the bytes of Japanese ones look like them. */
const MOST_ACCENTS = 0.45
/** Letters of Western Europe, and what else names hold. */
const WESTERN = /^[\p{ASCII}\p{Script=Latin}ªº¡¿«»°·´§£¥]*$/u
/** Decodes names without a declared character set: UTF-8, or else all in the same one. */
export function decodeNames(names: readonly Uint8Array[]): string[] {
  const decode = decoderOf(names.filter((name) => tryDecode(name, 'utf-8') === undefined))
  return names.map((name) => tryDecode(name, 'utf-8') ?? decode(name))
}

/** @param name with slashes @throws MediaFailure when it leads outside of the archive */
export function checkName(name: string): void {
  if (name.startsWith('/') || /^[a-z]:/i.test(name) || name.split('/').includes('..'))
    throw new MediaFailure('unsafe', 'Its name leads outside of the archive')
}

/** Files that operating systems add to archives. */
export function isSystemFile(name: string): boolean {
  return /(?:^|\/)(?:__MACOSX\/|\._|\.DS_Store$|\.Spotlight-V100\/|\.Trashes\/|Thumbs\.db$|desktop\.ini$)/i.test(name)
}

function decoderOf(names: readonly Uint8Array[]): (name: Uint8Array) => string {
  const isWestern = names.every((name) => WESTERN.test(dos(name)))
  // Code page 850 differs in letters of the North and of Portugal.
  const page = ['ibm437', 'ibm850'].find((each) => names.every((name) => WESTERN.test(decodeBytes(name, each))))
  if (page !== undefined && accentShare(names) < MOST_ACCENTS) return (name) => decodeBytes(name, page)
  const encoding = eastAsian(names, isWestern) ?? (!isWestern && names.every(isCyrillic) ? 'ibm866' : undefined)
  return encoding ? (name) => new TextDecoder(encoding).decode(name) : dos
}

/** The share of bytes beyond ASCII, without the extension. */
function accentShare(names: readonly Uint8Array[]): number {
  const stems = names.map((name) => dos(name).replace(/\.\w+$/, '')).join('')
  return stems.replaceAll(/\p{ASCII}/gu, '').length / Math.max(1, stems.length)
}

function eastAsian(names: readonly Uint8Array[], isSureOnly: boolean): string | undefined {
  const valid = EAST_ASIAN.filter(({ encoding }) => names.every((name) => tryDecode(name, encoding) !== undefined))
  const lines = Buffer.concat(names.flatMap((name) => [name, Buffer.from('\n')]))
  const text = Buffer.concat(Array<Buffer>(Math.ceil(REPEATED / names.length)).fill(lines))
  const [likely] = analyse(text).filter(
    (guess) => guess.confidence >= SURE && valid.some(({ name }) => name === guess.name),
  )
  if (likely) return valid.find(({ name }) => name === likely.name)!.encoding
  if (isSureOnly) return undefined
  const [most] = valid
    .map(({ encoding, common }) => ({ encoding, share: commonShare(names, common) }))
    .toSorted((one, other) => other.share - one.share)
  return most && most.share >= ENOUGH ? most.encoding : undefined
}

/** The share of common ones of the characters of two bytes. */
function commonShare(names: readonly Uint8Array[], common: readonly [number, number][]): number {
  let all = 0
  let found = 0
  for (const name of names)
    for (let at = 0; at < name.length; at += name[at]! < 0x80 ? 1 : 2) {
      const byte = name[at]!
      if (byte < 0x80) continue
      all += 1
      if (common.some(([from, to]) => byte >= from && byte <= to)) found += 1
    }
  return all === 0 ? 0 : found / all
}

function isCyrillic(name: Uint8Array): boolean {
  return /^[\p{ASCII}\p{Script=Cyrillic}№]*$/u.test(new TextDecoder('ibm866').decode(name))
}

function dos(bytes: Uint8Array): string {
  return decodeBytes(bytes, 'ibm437')
}

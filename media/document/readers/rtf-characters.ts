// The characters of RTF: those with a command of their own, and the code pages of the others.
import { decodeBytes } from '../decode-bytes.ts'

export const CHARACTERS: Record<string, string> = {
  emdash: '—',
  endash: '–',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  bullet: '•',
  tab: ' ',
  emspace: ' ',
  enspace: ' ',
  line: '\n',
}
/** Code pages of Windows by the character set of a font. */
export const CHARSETS: Record<number, string> = {
  128: 'shift_jis',
  129: 'euc-kr',
  134: 'gb18030',
  136: 'big5',
  161: 'windows-1253',
  162: 'windows-1254',
  163: 'windows-1258',
  177: 'windows-1255',
  178: 'windows-1256',
  186: 'windows-1257',
  204: 'windows-1251',
  222: 'windows-874',
  238: 'windows-1250',
}
export const CODE_PAGES: Record<number, string> = {
  437: 'ibm437',
  850: 'ibm850',
  866: 'ibm866',
  932: 'shift_jis',
  936: 'gb18030',
  949: 'euc-kr',
  950: 'big5',
  65001: 'utf-8',
  874: 'windows-874',
  10000: 'macintosh',
}

/** Character sets that older programs name at the beginning, by their word. */
export const OLD_SETS: ReadonlyMap<string, string> = new Map([
  ['mac', 'macintosh'],
  ['pc', 'ibm437'],
  ['pca', 'ibm850'],
])

export function decodeRtf(bytes: Uint8Array, encoding: string): string {
  try {
    return decodeBytes(bytes, encoding)
  } catch {
    return decodeBytes(bytes, 'windows-1252')
  }
}

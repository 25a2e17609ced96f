// Decodes bytes: also in encodings that `TextDecoder` does not have, UTF-32 and the code pages of DOS.

/** From byte 128. */
const DOS: Readonly<Record<string, string>> = {
  ibm437:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0',
  ibm850:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0',
}

/** @param encoding a label of `TextDecoder`, or `utf-32le`, `utf-32be`, `ibm437`, `ibm850` */
export function decodeBytes(bytes: Uint8Array, encoding: string): string {
  if (encoding.startsWith('utf-32')) return utf32(bytes, encoding === 'utf-32le')
  const dos = Object.hasOwn(DOS, encoding) ? DOS[encoding] : undefined
  if (dos === undefined) return new TextDecoder(encoding).decode(bytes)
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : dos[byte - 0x80]!)).join('')
}

/** UTF-32 by a byte order mark, or by its zeros. */
export function utf32Of(bytes: Uint8Array): string | undefined {
  const units = Math.min(bytes.length >> 2, 256)
  if (units < 2) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, units * 4)
  for (const isLittle of [true, false]) {
    const points = Array.from({ length: units }, (_, index) => view.getUint32(index * 4, isLittle))
    if (points.every((point) => point > 0 && point < 0x110000)) return isLittle ? 'utf-32le' : 'utf-32be'
  }
  return undefined
}

function utf32(bytes: Uint8Array, isLittle: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const characters: string[] = []
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const point = view.getUint32(at, isLittle)
    characters.push(point < 0x110000 ? String.fromCodePoint(point) : '\ufffd')
  }
  return characters
    .join('')
    .replace(/^\ufeff/, '')
    .toWellFormed()
}

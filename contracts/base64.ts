// Bytes that a client writes as text.

const NOT_BASE64 = /[^A-Za-z0-9+/]/

/** The bytes; undefined when a digit or a part of the padding is missing or wrong. Padding may be left out. */
export function fromBase64(text: string): Buffer | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const digits = text.slice(0, text.length - padding)
  const isCut = digits.length % 4 === 1 || (padding > 0 && text.length % 4 !== 0)
  return isCut || NOT_BASE64.test(digits) ? undefined : Buffer.from(digits, 'base64')
}

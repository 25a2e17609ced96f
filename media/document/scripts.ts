// Superscripts and subscripts in plain text: 10⁶ must not become 106.

const ABOVE = new Map(zip('0123456789+-−=()ni,; ', '⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ,; '))
const BELOW = new Map(zip('0123456789+-−=(),; ', '₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎,; '))
/** Endings such as those of 1st, M. and Mme, and marks such as that of a footnote: they do not change the meaning. */
const WORDS = /^(?:\p{L}{2,}\.?|[^\p{L}\p{N}]+|\[.*\]|[a-zºªo]?[*†‡§¶]+)$/u

/** The text in small signs where Unicode has them, else after `^` or `_`. @param before the text before it */
export function scripted(text: string, place: 'above' | 'below', before = ''): string {
  if (text.trim() === '' || WORDS.test(text.trim())) return text
  const signs = Array.from(text).map((letter) => (place === 'above' ? ABOVE : BELOW).get(letter))
  if (signs.every((sign) => sign !== undefined)) return signs.join('')
  // An ending of one letter: 2e, 1o.
  if (place === 'above' && /^[eo]$/.test(text.trim()) && /\p{N}$/u.test(before)) return text
  const sign = place === 'above' ? '^' : '_'
  return Array.from(text).length === 1 ? sign + text : `${sign}(${text})`
}

function zip(from: string, to: string): [string, string][] {
  const signs = Array.from(to)
  return Array.from(from).map((letter, index) => [letter, signs[index]!])
}

// Which pages of a PDF are read by OCR: those whose content is a picture, and those whose text layer cannot be used.
import type { PageComplexityStats } from '@llamaindex/liteparse'

/** Most characters beside a picture that is the content of its page, and on a picture that fills its page. */
const LITTLE_TEXT = 300
const LITTLE_ON_PICTURE = 1_000
/** Least share of the page that a picture with text takes: smaller ones are marks and rules. */
const PICTURE = 0.005
/** Least shares of characters that are no text, in a text layer that cannot be used; the first where liteparse doubts it too. */
const SOME_STRANGE = 0.05
const MOSTLY_STRANGE = 0.2
/** Share of words whose letters, digits and signs are mixed as in no language. */
const MOSTLY_MIXED = 0.4
const FEWEST_WORDS = 8
/** Least share of vowels among Latin letters; every language has a third or more. */
const LEAST_VOWELS = 0.2
const FEWEST_LETTERS = 60

/** Private use, invalid and control characters: fonts without a map to characters yield them. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const STRANGE = /[\uE000-\uF8FF\uFFFD\u0000-\u0008\u000E-\u001F\u0080-\u009F]/gu

export interface TextLayer {
  characters: number
  /** Whether it cannot be used. */
  isGarbled: boolean
}

/** @param text of the page, as it was extracted */
export function textLayerOf(text: string, { textLength, isGarbled }: PageComplexityStats): TextLayer {
  const characters = text.replaceAll(/\s/g, '').length
  const strange = text.match(STRANGE)?.length ?? 0
  // liteparse does not count what it takes for invalid.
  const least = characters * (textLength < characters / 2 ? SOME_STRANGE : MOSTLY_STRANGE)
  return { characters, isGarbled: strange > least || (isGarbled && isMixed(text)) || hasNoVowels(text) }
}

/** Whether OCR is to read a page. */
export function isPicture(layer: TextLayer, found: PageComplexityStats): boolean {
  if (layer.isGarbled || found.isGarbled) return true
  if (found.fullPageImage) return layer.characters < LITTLE_ON_PICTURE
  if (layer.characters >= LITTLE_TEXT) return false
  if (layer.characters === 0 && (found.imageBlockCount > 0 || found.reasons.includes('scanned'))) return true
  // Letters drawn as shapes are a picture as well.
  return found.imageCoverage >= PICTURE || found.reasons.includes('vector-text')
}

/**
 * Whether only drawing a page tells that it is no empty one: liteparse does not see pictures within forms, pictures that
 * stand in the contents of the page, and patterns.
 */
export function mayBePicture(layer: TextLayer, found: PageComplexityStats): boolean {
  return layer.characters === 0 && !isPicture(layer, found)
}

/** `B Gc d]ĈhY_` for `A na posilku`: words with signs or capitals within. */
function isMixed(text: string): boolean {
  const words = text.split(/\s+/).filter((word) => word.length > 2)
  const mixed = words.filter((word) => /\p{L}[^\p{L}\p{M}'’.,/:@_<>()=-]+\p{L}|\p{Ll}\p{Lu}/u.test(word))
  return words.length >= FEWEST_WORDS && mixed.length > words.length * MOSTLY_MIXED
}

/** `7KH TXLFN EURZQ` for `The quick brown`: fonts that tell the numbers of their shapes for letters. */
function hasNoVowels(text: string): boolean {
  const latin = text.normalize('NFD').match(/[a-z]/gi) ?? []
  if (latin.length < FEWEST_LETTERS || latin.length < text.replaceAll(/\s/g, '').length / 2) return false
  return latin.filter((letter) => /[aeiouy]/i.test(letter)).length < latin.length * LEAST_VOWELS
}

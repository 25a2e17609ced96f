// Untrusted text in a prompt: delimited, and unable to close its delimiters or to open others.

/** Elements that delimit text in prompts. No untrusted text may open or close one. */
type Element = 'passage' | 'source_text' | 'memory' | 'about_user'

/**
 * A `<` (also its full-width form) of one of these elements or of a special token such as `<|im_start|>`, which servers of
 * open models
 * may interpret as the start of another message.
 */
const MARKUP =
  /[<＜﹤](?=[\s\p{C}]{0,8}\/?[\s\p{C}]{0,8}(?:passage|source_text|memory|about_user)(?![\p{L}\p{N}_])|\|[^\s|]{1,40}\|>)/giu
/** Longest name or heading, in characters. */
const MAX_NAME = 300

/** Text of any length and with any line breaks, without markup that is significant in a prompt. */
export function promptText(text: string): string {
  return text.replaceAll(MARKUP, '&lt;')
}

/** A name or heading on one line: no line breaks, no control or invisible characters, no quotes and angle brackets. */
export function promptName(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, ' ').trim()
  const plain = line
    .replaceAll(/["“”]/g, "'")
    .replaceAll(/[<＜﹤]/g, '‹')
    .replaceAll(/[>＞﹥]/g, '›')
  return plain.length <= MAX_NAME ? plain : `${plain.slice(0, MAX_NAME - 1).toWellFormed()}…`
}

/** The same between square brackets. */
export function bracketedName(text: string): string {
  return promptName(text).replaceAll('[', '(').replaceAll(']', ')')
}

/** Text between the tags of an element, with attributes. */
export function delimited(element: Element, attributes: Record<string, string | number>, text: string): string {
  const described = Object.entries(attributes).map(([name, value]) => ` ${name}="${promptName(String(value))}"`)
  return `<${element}${described.join('')}>\n${promptText(text)}\n</${element}>`
}

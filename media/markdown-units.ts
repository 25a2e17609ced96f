// The Markdown of a page as a row of units that are never cut: headings, sentences, list items, table rows, lines of code.
import { cutLong, sentencesOf } from './sentences.ts'

export interface Unit {
  kind: 'heading' | 'sentence' | 'line' | 'row'
  text: string
  /** What stands between it and the unit before. */
  joint: ' ' | '\n' | '\n\n'
  /** Of a heading, 1 to 6. */
  level?: number
  /** Of a table row: the header rows, to be repeated where a passage begins within the table. */
  header?: string
}

const HEADING = /^(#{1,6})\s+(.+?)\s*#*$/
const ROW = /^\s*\|.*\|\s*$/
const RULE_ROW = /^[\s|:-]+$/
const ITEM = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+\S/
/** Longer "headings" are text that was set large. */
const LONGEST_HEADING = 150
/** The dots between a title and its page number. */
const LEADERS = /(?:[ \t]?\.){4,}/g
const ESCAPED = /\\([_*#~`<>[\]])/g
const FENCE = /^\s*(?:```|~~~)/

/** @param most longest unit, in characters */
export function unitsOf(markdown: string, most: number): Unit[] {
  return new UnitReader(most).read(markdown)
}

class UnitReader {
  readonly #most: number
  readonly #units: Unit[] = []
  #paragraph: string[] = []
  #header: string | undefined
  #inCode = false

  constructor(most: number) {
    this.#most = most
  }

  read(markdown: string): Unit[] {
    const plain = markdown.replace(LEADERS, ' …').replace(ESCAPED, '$1')
    for (const line of plain.split(/\r\n|[\n\r\f\u2028\u2029]/)) this.#take(line)
    this.#endParagraph()
    return this.#units
  }

  #take(line: string): void {
    const row = !this.#inCode && ROW.test(line)
    if (!row) this.#header = undefined
    if (FENCE.test(line)) {
      this.#endParagraph()
      this.#inCode = !this.#inCode
      return
    }
    if (this.#inCode) return this.#add('line', line.trimEnd(), '\n')
    if (row) return this.#takeRow(line.trim())
    // Within a paragraph it is a comment of some program, set without its fence.
    const heading = this.#paragraph.length === 0 ? HEADING.exec(line) : null
    if (heading && line.length <= LONGEST_HEADING && /\p{L}/u.test(heading[2]!)) {
      this.#endParagraph()
      this.#units.push({ kind: 'heading', text: heading[2]!, joint: '\n\n', level: heading[1]!.length })
      return
    }
    if (line.trim() === '' || ITEM.test(line)) this.#endParagraph()
    if (line.trim() !== '') this.#paragraph.push(line.trim())
  }

  #takeRow(line: string): void {
    this.#endParagraph()
    const first = this.#header === undefined
    if (first) this.#header = line
    else if (RULE_ROW.test(line) && !this.#header!.includes('\n')) this.#header += `\n${line}`
    const header = this.#header!
    for (const part of cutLong(line, this.#most))
      this.#units.push({ kind: 'row', text: part, joint: first ? '\n\n' : '\n', ...(header !== line && { header }) })
  }

  #endParagraph(): void {
    const lines = this.#paragraph
    if (lines.length === 0) return
    this.#paragraph = []
    const joint = ITEM.test(lines[0]!) ? '\n' : '\n\n'
    // Many lines and no sentence among them: records of some kind, whose lines mean something.
    if (lines.length >= 4 && !lines.some((line) => /\p{L}[.!?。]["')\]]?(?:\s|$)/u.test(line)))
      return lines.forEach((line, index) => this.#add('line', line, index === 0 ? joint : '\n'))
    sentencesOf(lines.join(' ')).forEach((text, index) => this.#add('sentence', text, index === 0 ? joint : ' '))
  }

  #add(kind: 'sentence' | 'line', text: string, joint: Unit['joint']): void {
    if (text.trim() === '') return
    cutLong(text, this.#most).forEach((part, index) =>
      this.#units.push({ kind, text: part, joint: index === 0 ? joint : ' ' }),
    )
  }
}

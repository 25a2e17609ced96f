// The Markdown parser for pages: pieces in order with their position, tolerant of parsers' output.

export interface Piece {
  kind: 'heading' | 'paragraph' | 'item' | 'table' | 'code' | 'image' | 'rule'
  /** Position in the page, in characters; `to` is after its last line, without the line end. */
  from: number
  to: number
  /** Source lines without line ends; of code without the fences. */
  lines: string[]
  /** Of a heading, 1 to 6. */
  level?: number
  /** Of code, if its fence names it. */
  language?: string
}

const LINE_END = /\r\n|[\n\r\f\u2028\u2029]/
const HEADING = /^(#{1,6})\s+(.+?)\s*#*$/
const UNDERLINE = /^(?:={3,}|-{3,})\s*$/
const RULE = /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/
const ROW = /^\s*\|.*\|\s*$/
// A number between dashes is a page number.
const ITEM = /^\s*(?!-\s*\d+\s*-\s*$)(?:[-*+•]|\d{1,3}[.)])\s+\S/
const FENCE = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/
const IMAGE = /^\s*!\[[^\]]*\]\([^()]*\)\s*$/
/** Content of a heading: letters, or a time, a date or a year. Other numbers are page and section numbers apart from their titles. */
const SAYS = /\p{L}|^\D{0,3}(?:\d{1,2}:\d{2}|\d{4}-\d{2}|(?:19|20)\d{2}$)/u
/** Longer "headings" are text in a large font. */
const LONGEST_HEADING = 150

/** Parses a page, except blank lines, in linear time. */
export function piecesOf(markdown: string): Piece[] {
  return new Reader().read(markdown)
}

class Reader {
  readonly #pieces: Piece[] = []
  /** The open piece that the next line may continue: a paragraph, an item, a table or code. */
  #open: Piece | undefined
  /** The fence of the open code block. */
  #fence: string | undefined

  read(markdown: string): Piece[] {
    let from = 0
    for (const line of markdown.split(LINE_END)) {
      this.#take(line, from)
      from += line.length + (markdown.startsWith('\r\n', from + line.length) ? 2 : 1)
    }
    return this.#pieces
  }

  #take(line: string, from: number): void {
    const open = this.#open
    const fence = line.includes('```') || line.includes('~~~') ? FENCE.exec(line) : null
    if (this.#fence !== undefined) {
      open!.to = from + line.length
      if (!fence || !fence[1]!.startsWith(this.#fence)) open!.lines.push(line)
      else this.#open = this.#fence = undefined
      return
    }
    if (fence) {
      this.#begin('code', line, from, { lines: [], ...(fence[2] !== '' && { language: fence[2]! }) })
      this.#fence = fence[1]
    } else if (line.trim() === '') this.#open = undefined
    else if (ROW.test(line)) {
      if (open?.kind === 'table') this.#add(line, from)
      else this.#begin('table', line, from)
    } else if (ITEM.test(line) && !RULE.test(line)) this.#begin('item', line, from)
    else if (open?.kind === 'paragraph' && open.lines.length === 1 && isUnderline(line, open.lines[0]!)) {
      open.kind = 'heading'
      open.level = line.startsWith('=') ? 1 : 2
      open.to = from + line.length
      this.#open = undefined
    }
    // Within a paragraph `#` starts a comment of unfenced source code.
    else if (open?.kind === 'paragraph' || open?.kind === 'item') this.#add(line, from)
    else this.#beginText(line, from)
  }

  #beginText(line: string, from: number): void {
    const heading = HEADING.exec(line)
    if (heading && line.length <= LONGEST_HEADING && SAYS.test(heading[2]!))
      this.#begin('heading', line, from, { lines: [heading[2]!], level: heading[1]!.length })
    else if (RULE.test(line)) this.#begin('rule', line, from)
    else if (IMAGE.test(line)) this.#begin('image', line, from)
    else return this.#begin('paragraph', line, from)
    this.#open = undefined
  }

  #begin(kind: Piece['kind'], line: string, from: number, more: Partial<Piece> = {}): void {
    this.#open = { kind, from, to: from + line.length, lines: [line], ...more }
    this.#pieces.push(this.#open)
  }

  #add(line: string, from: number): void {
    this.#open!.lines.push(line)
    this.#open!.to = from + line.length
  }
}

function isUnderline(line: string, above: string): boolean {
  return UNDERLINE.test(line) && above.length <= LONGEST_HEADING && /\p{L}/u.test(above)
}

/** The delimiter row between the header of a table and its body. */
export function isRuleRow(line: string): boolean {
  return /^[\s|:-]+$/.test(line) && line.includes('-')
}

/** The cells of a row, without Markdown syntax. */
export function cellsOf(row: string): string[] {
  const inner = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
  return inner.split(/(?<!\\)\|/).map((cell) => withoutMarks(cell.replaceAll('\\|', '|').trim()))
}

const MARKS = new RegExp(
  [
    /(?<ticks>`{1,2})(?<code>[^`\n]{1,400})\k<ticks>/,
    /!\[(?<alt>[^\]\n]{0,400})\]\((?<source>[^()\s]{0,2000})\)/,
    /\[(?<link>[^[\]\n]{1,400})\]\((?<target>[^()\s]{0,2000})\)/,
    /<(?<auto>https?:\/\/[^<>\s]{1,2000})>/,
    /(?<strong>\*\*|__|~~)(?=\S)(?<strongly>.{1,400}?)(?<=\S)\k<strong>/,
    /(?<![\w*])(?<em>[*_])(?=[\p{L}\p{N}])(?<stressed>[^*_\n]{1,400}?)(?<=\S)\k<em>(?![\w*])/u,
    /\\(?<escaped>[_*#~`<>[\]])/,
    /(?<br><br\s*\/?>)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gu',
)

/** Text without the syntax of emphasis, code, links and images; a link's target stays after its text. */
export function withoutMarks(text: string): string {
  return text.replace(MARKS, (whole, ...rest) => {
    const found = rest.at(-1) as Record<string, string | undefined>
    if (found['code'] !== undefined) return found['code']
    if (found['alt'] !== undefined) return found['alt']
    if (found['link'] !== undefined) return linkText(withoutMarks(found['link']), found['target'] ?? '')
    if (found['br'] !== undefined) return '\n'
    const inner = found['strongly'] ?? found['stressed']
    return inner === undefined ? (found['auto'] ?? found['escaped'] ?? whole) : withoutMarks(inner)
  })
}

function linkText(words: string, target: string): string {
  return target === '' || target.startsWith('#') || target.endsWith(words) ? words : `${words} (${target})`
}

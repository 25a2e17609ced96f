// Converts RTF commands to simple HTML.
import { scripted } from '../scripts.ts'
import type { Marks } from './marks.ts'
import { LABEL_CLASS } from './markup.ts'
import { CHARACTERS, CHARSETS, CODE_PAGES, decodeRtf, OLD_SETS } from './rtf-characters.ts'
import { escapeHtml } from './xml.ts'

/** Groups without readable text. */
const SKIPPED: ReadonlySet<string> = new Set(
  'fonttbl colortbl stylesheet info sp listtable listoverridetable rsidtbl generator xmlnstbl themedata colorschememapping datastore latentstyles filetbl revtbl fldinst nonshppict pntxta pntxtb ftnsep ftnsepc aftnsep aftnsepc bkmkstart bkmkend pgptbl mmathpr docvar userprops atnid atnauthor'.split(
    ' ',
  ),
)
/** Groups whose text is left out, with a notice. Headers and footers repeat on every page. */
const APART: ReadonlyMap<string, string> = new Map([
  ['annotation', 'Comments are left out'],
  ...['header', 'headerl', 'headerr', 'headerf', 'footer', 'footerl', 'footerr', 'footerf'].map(
    (word): [string, string] => [word, 'Headers and footers are left out'],
  ),
])
const HIDDEN = 'Hidden text is left out'
/** Numbers of list items; other labels are bullets. */
const NUMBER = /\p{N}|^\(?\p{L}{1,5}[.)]/u
interface State {
  skipped: boolean
  /** Number of fallback characters after a Unicode character. */
  fallback: number
  font: number
  /** Target of the text: body or footnote. */
  note: boolean
  /** Why the text of this group is left out. */
  apart?: string
  hidden?: boolean
  /** In a change that was not accepted or refused. */
  deleted?: boolean
  /** The text is the label of a list item. */
  label?: boolean
  /** Superscript or subscript. */
  script?: 'above' | 'below' | undefined
}

export class RtfHtml {
  #state: State = { skipped: false, fallback: 1, font: 0, note: false }
  readonly #stack: State[] = []
  #codePage = 'windows-1252'
  readonly #fonts = new Map<number, string>()
  /** Whether the parser is inside the font table. */
  #inFonts = false
  #fontDepth = 0
  #pending: number[] = []
  #toSkip = 0
  #starred = false

  #html = ''
  #words = ''
  #noteWords = ''
  readonly #notes: string[] = []
  #level = 0
  /** Of the list item that the paragraph is. */
  #label: string | undefined
  /** Why the text before was left out. */
  #left: string | undefined
  readonly #marks: Marks
  #inTable = false
  #cells: string[] = []
  #rows: string[] = []

  /** @param marks receives what is left out */
  constructor(marks: Marks) {
    this.#marks = marks
  }

  open(): void {
    this.#flush()
    this.#stack.push({ ...this.#state })
  }

  close(): void {
    this.#flush()
    const before = this.#stack.pop()
    if (this.#inFonts && this.#stack.length < this.#fontDepth) this.#inFonts = false
    if (before && this.#state.note && !before.note) {
      this.#notes.push(this.#noteWords.trim())
      this.#noteWords = ''
      this.#words += `[${this.#notes.length}]`
    }
    if (before && before.apart !== this.#state.apart) this.#left = undefined
    this.#state = before ?? this.#state
  }

  control(word: string, number: number | undefined): void {
    const starred = this.#starred
    this.#starred = false
    if (word === 'u' && number !== undefined) {
      this.#put(String.fromCharCode(number & 0xffff))
      this.#toSkip = this.#state.fallback
      return
    }
    this.#flush()
    this.#toSkip = 0
    if (word === 'fonttbl') {
      this.#inFonts = true
      this.#fontDepth = this.#stack.length
    }
    if (!this.#state.skipped && /^(?:pict|shppict|object)$/.test(word)) this.#leave(word)
    const apart = APART.get(word)
    if (apart !== undefined) this.#state.apart = apart
    else if (SKIPPED.has(word) || (starred && word !== 'shptxt' && word !== 'shpinst')) this.#state.skipped = true
    this.#codePage = OLD_SETS.get(word) ?? this.#codePage
    if (word === 'ansicpg' && number) this.#codePage = CODE_PAGES[number] ?? `windows-${number}`
    else if (word === 'uc') this.#state.fallback = number ?? 1
    else if (word === 'f' || word === 'deff') this.#state.font = number ?? 0
    else if (word === 'fcharset' && this.#inFonts && number !== undefined) {
      const encoding = CHARSETS[number]
      if (encoding !== undefined) this.#fonts.set(this.#state.font, encoding)
    }
    if (this.#state.skipped) return
    const character = CHARACTERS[word]
    if (character !== undefined) this.#put(character)
    else if (this.#state.apart === undefined && this.#state.label !== true) this.#layout(word, number)
  }

  /** A picture or an object in place of text. */
  #leave(word: string): void {
    const what = word === 'object' ? 'Embedded objects are not read' : 'Text in pictures is not read'
    if (this.#state.apart === undefined) this.#words += this.#marks.of('not_read', what)
    this.#state.skipped = true
  }

  #layout(word: string, number: number | undefined): void {
    switch (word) {
      case 'par':
      case 'sect':
        return this.#state.note ? this.#put(' ') : this.#endParagraph()
      case 'page':
      case 'pagebb':
        if (word === 'page') this.#endParagraph()
        this.#html += '<hr class="page">'
        return
      case 'pard':
        this.#level = 0
        this.#inTable = false
        return
      case 'v':
        this.#state.hidden = number !== 0
        return
      case 'deleted':
        this.#state.deleted = number !== 0
        return
      case 'super':
      case 'sub':
        this.#state.script = number === 0 ? undefined : word === 'super' ? 'above' : 'below'
        return
      case 'nosupersub':
        this.#state.script = undefined
        return
      case 'plain':
        this.#state.script = undefined
        this.#state.hidden = false
        this.#state.deleted = false
        return
      case 'outlinelevel':
        this.#level = number !== undefined && number < 6 ? number + 1 : 0
        return
      case 'listtext':
      case 'pntext':
        this.#state.label = true
        this.#label = ''
        return
      case 'intbl':
        this.#inTable = true
        return
      case 'cell':
      case 'nestcell':
        this.#cells.push(this.#words.trim())
        this.#words = ''
        return
      case 'row':
        this.#rows.push(`<tr>${this.#cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`)
        this.#cells = []
        return
      case 'footnote':
        this.#state.note = true
    }
  }

  byte(byte: number): void {
    if (this.#toSkip > 0) this.#toSkip -= 1
    else if (!this.#state.skipped) this.#pending.push(byte)
  }

  bytes(text: string): void {
    const skipped = Math.min(this.#toSkip, text.length)
    this.#toSkip -= skipped
    if (this.#state.skipped) return
    for (let at = skipped; at < text.length; at += 1) this.#pending.push(text.charCodeAt(at))
  }

  symbol(symbol: string): void {
    if (symbol === '*') this.#starred = true
    else if (symbol === '~') this.#put('\u00a0')
    else if (symbol === '_') this.#put('-')
    else if (symbol === '\n' || symbol === '\r') this.control('par', undefined)
    else if (/[\\{}]/.test(symbol)) this.bytes(symbol)
  }

  end(): string {
    this.#flush()
    this.#endParagraph()
    this.#endTable()
    return this.#html + this.#notes.map((note, index) => `<p>[${index + 1}] ${escaped(note)}</p>`).join('')
  }

  /** Decodes pending bytes before the code page changes: a character may have two bytes. */
  #flush(): void {
    if (this.#pending.length === 0) return
    const bytes = Uint8Array.from(this.#pending)
    this.#pending = []
    this.#put(decodeRtf(bytes, this.#fonts.get(this.#state.font) ?? this.#codePage), true)
  }

  #put(text: string, flushed = false): void {
    if (!flushed) this.#flush()
    const { note, script, skipped, deleted, label, apart } = this.#state
    if (skipped || deleted) return
    if (label) {
      this.#label += text
      return
    }
    const left = apart ?? (this.#state.hidden ? HIDDEN : undefined)
    if (text.trim() !== '') {
      if (left !== undefined && left !== this.#left) this.#words += this.#marks.of('left_out', left)
      this.#left = left
    }
    if (left !== undefined) return
    const shown = script ? scripted(text, script, note ? this.#noteWords : this.#words) : text
    if (note) this.#noteWords += shown
    else this.#words += shown
  }

  #endParagraph(): void {
    const words = this.#words.trim()
    const label = this.#label?.trim()
    this.#words = ''
    this.#label = undefined
    if (this.#inTable) {
      this.#words = words === '' ? '' : `${words} `
      return
    }
    this.#endTable()
    if (words === '') return
    if (label !== undefined) {
      const number = NUMBER.test(label) ? `<span class="${LABEL_CLASS}">${escaped(label)}</span>` : ''
      this.#html += `<ul><li>${number}${escaped(words)}</li></ul>`
    } else
      this.#html +=
        this.#level > 0 ? `<h${this.#level}>${escaped(words)}</h${this.#level}>` : `<p>${escaped(words)}</p>`
  }

  #endTable(): void {
    if (this.#rows.length > 0) this.#html += `<table>${this.#rows.join('')}</table>`
    this.#rows = []
  }
}

function escaped(text: string): string {
  return escapeHtml(text).replaceAll('\n', '<br>')
}

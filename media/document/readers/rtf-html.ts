// Converts RTF commands to simple HTML.
import { scripted } from '../scripts.ts'
import { escapeHtml } from './xml.ts'

/** Groups without readable text. */
const SKIPPED: ReadonlySet<string> = new Set(
  'fonttbl colortbl stylesheet info pict object listtable listoverridetable rsidtbl generator xmlnstbl themedata colorschememapping datastore latentstyles filetbl revtbl fldinst nonshppict pntxta pntxtb ftnsep ftnsepc aftnsep aftnsepc bkmkstart bkmkend pgptbl mmathpr docvar userprops annotation atnid atnauthor'.split(
    ' ',
  ),
)
const CHARACTERS: Record<string, string> = {
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
const CHARSETS: Record<number, string> = {
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
const CODE_PAGES: Record<number, string> = {
  932: 'shift_jis',
  936: 'gb18030',
  949: 'euc-kr',
  950: 'big5',
  65001: 'utf-8',
  874: 'windows-874',
  10000: 'macintosh',
}

interface State {
  skipped: boolean
  /** Number of fallback characters after a Unicode character. */
  fallback: number
  font: number
  /** Target of the text: body or footnote. */
  note: boolean
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
  #isItem = false
  #inTable = false
  #cells: string[] = []
  #rows: string[] = []

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
    if (SKIPPED.has(word) || (starred && word !== 'shptxt' && word !== 'shpinst')) this.#state.skipped = true
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
    else this.#layout(word, number)
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
        this.#isItem = false
        this.#inTable = false
        return
      case 'super':
      case 'sub':
        this.#state.script = number === 0 ? undefined : word === 'super' ? 'above' : 'below'
        return
      case 'nosupersub':
      case 'plain':
        this.#state.script = undefined
        return
      case 'outlinelevel':
        this.#level = number !== undefined && number < 6 ? number + 1 : 0
        return
      case 'listtext':
      case 'pntext':
        this.#state.skipped = true
        this.#isItem = true
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
        return
      case 'header':
      case 'headerl':
      case 'headerr':
      case 'headerf':
      case 'footer':
      case 'footerl':
      case 'footerr':
      case 'footerf':
        // Headers and footers repeat on every page and are skipped.
        this.#state.skipped = true
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
    this.#put(decode(bytes, this.#fonts.get(this.#state.font) ?? this.#codePage), true)
  }

  #put(text: string, flushed = false): void {
    if (!flushed) this.#flush()
    if (this.#state.skipped) return
    const { note, script } = this.#state
    const shown = script ? scripted(text, script, note ? this.#noteWords : this.#words) : text
    if (note) this.#noteWords += shown
    else this.#words += shown
  }

  #endParagraph(): void {
    const words = this.#words.trim()
    this.#words = ''
    if (this.#inTable) {
      this.#words = words === '' ? '' : `${words} `
      return
    }
    this.#endTable()
    if (words === '') return
    if (this.#isItem) this.#html += `<ul><li>${escaped(words)}</li></ul>`
    else
      this.#html +=
        this.#level > 0 ? `<h${this.#level}>${escaped(words)}</h${this.#level}>` : `<p>${escaped(words)}</p>`
  }

  #endTable(): void {
    if (this.#rows.length > 0) this.#html += `<table>${this.#rows.join('')}</table>`
    this.#rows = []
  }
}

function decode(bytes: Uint8Array, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

function escaped(text: string): string {
  return escapeHtml(text).replaceAll('\n', '<br>')
}

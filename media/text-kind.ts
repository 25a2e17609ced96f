// What a text is written in: markup, a table, or prose. Its name decides only where both would do.
import Papa from 'papaparse'

export type TextKind = 'html' | 'eml' | 'json' | 'csv' | 'tsv' | 'markdown' | 'text'

const HTML = /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<(?:!doctype\s+html|html|head|body)\b/i
/** An object with a name in it, or a list of objects or lists. */
const JSON_TEXT = /^\s*(?:\{\s*(?:"(?:[^"\\\n]|\\.)*"\s*:|\}\s*$)|\[\s*(?:\{\s*"|\[\s*["[\d]))/
/** Lines of a table that are looked at, and how few make none without its name saying so. */
const TABLE_LINES = 50
const FEW_LINES = 3

/** @param text the beginning of it @param name of its file */
export function textKind(text: string, name: string): TextKind {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const head = text.replace(/^\uFEFF/, '')
  if (HTML.test(head)) return 'html'
  if (/^x?html?$/.test(extension) && /<[a-z]+[\s>]/i.test(head)) return 'html'
  if (isLetter(head)) return 'eml'
  if (JSON_TEXT.test(head) || (/^(json|jsonl|ndjson|geojson)$/.test(extension) && /^\s*[[{]/.test(head))) return 'json'
  if (/^(md|mdx|markdown)$/.test(extension)) return 'markdown'
  if (extension === 'csv') return 'csv'
  if (/^(tsv|tab)$/.test(extension)) return 'tsv'
  return extension === 'txt' ? 'text' : tableKind(head)
}

/** Begins with fields that letters have, and with nothing else. */
function isLetter(head: string): boolean {
  const lines = head.slice(0, head.search(/\r?\n\r?\n/)).split(/\r?\n(?![ \t])/)
  const names = lines.map((line) => /^([\w-]+):/.exec(line)?.[1]?.toLowerCase())
  return (
    !names.includes(undefined) &&
    names.includes('from') &&
    ['to', 'subject', 'date', 'message-id', 'received', 'mime-version'].some((name) => names.includes(name))
  )
}

/** Several lines, all with as many cells. Commas occur in prose, but not as many in each line. */
function tableKind(head: string): 'csv' | 'tsv' | 'text' {
  for (const delimiter of ['\t', ';', ',']) {
    const { data, meta } = Papa.parse<string[]>(head, { delimiter, preview: TABLE_LINES })
    const rows = (meta.truncated ? data : data.slice(0, -1)).filter((row) => row.length > 1 || row[0] !== '')
    const width = rows[0]?.length ?? 0
    if (width < (delimiter === ',' ? 3 : 2) || rows.length < FEW_LINES) continue
    if (rows.every((row) => row.length === width)) return delimiter === '\t' ? 'tsv' : 'csv'
  }
  return 'text'
}

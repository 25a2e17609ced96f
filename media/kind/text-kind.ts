// Detects the format of a text: markup, a table, or prose. Its name decides only ambiguous cases.
import Papa from 'papaparse'

export type TextKind = 'html' | 'json' | 'csv' | 'tsv' | 'markdown' | 'text'

const HTML = /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<(?:!doctype\s+html|html|head|body)\b/i
/** An object with a key, or a list of objects or lists. */
const JSON_TEXT = /^\s*(?:\{\s*(?:"(?:[^"\\\n]|\\.)*"\s*:|\}\s*$)|\[\s*(?:\{\s*"|\[\s*["[\d]))/
/** Lines that are inspected, and fewest lines of a table without a file extension. */
const TABLE_LINES = 50
const FEW_LINES = 3

/** @param text its beginning @param name its file name */
export function textKind(text: string, name: string): TextKind {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const head = text.replace(/^\uFEFF/, '')
  if (HTML.test(head)) return 'html'
  if (/^x?html?$/.test(extension) && /<[a-z]+[\s>]/i.test(head)) return 'html'
  if (JSON_TEXT.test(head) || (/^(json|jsonl|ndjson|geojson)$/.test(extension) && /^\s*[[{]/.test(head))) return 'json'
  if (/^(md|mdx|markdown)$/.test(extension)) return 'markdown'
  if (extension === 'csv') return 'csv'
  if (/^(tsv|tab)$/.test(extension)) return 'tsv'
  return extension === 'txt' ? 'text' : tableKind(head)
}

/** Several lines with the same number of cells. Commas occur in prose, but not equally often in each line. */
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

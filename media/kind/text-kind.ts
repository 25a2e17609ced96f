// Detects the format of a text: markup, a table, or prose. Its name decides only ambiguous cases.
import Papa from 'papaparse'
import { SEPARATOR_LINE } from '../document/delimiter.ts'
import { languageOf } from './code-language.ts'

export type TextKind = 'html' | 'json' | 'csv' | 'tsv' | 'markdown' | 'text' | StructuredKind
type StructuredKind = 'notebook' | 'subtitles' | 'calendar' | 'contacts' | 'xml' | 'code'

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
  const structured = structuredKind(head, extension)
  if (structured) return structured
  if (JSON_TEXT.test(head) || (/^(json|jsonl|ndjson|geojson)$/.test(extension) && /^\s*[[{]/.test(head))) return 'json'
  if (/^(md|mdx|markdown)$/.test(extension)) return 'markdown'
  if (extension === 'csv' || SEPARATOR_LINE.test(head)) return 'csv'
  if (/^(tsv|tab)$/.test(extension)) return 'tsv'
  if (languageOf(name, head) !== undefined) return 'code'
  return extension === 'txt' ? 'text' : tableKind(head)
}

function structuredKind(head: string, extension: string): StructuredKind | undefined {
  if (/^\s*\{/.test(head) && (extension === 'ipynb' || NOTEBOOK.test(head))) return 'notebook'
  if (/^WEBVTT(?:\s|$)/.test(head) || SUBRIP.test(head)) return 'subtitles'
  if (/^\s*BEGIN:VCALENDAR\s*$/im.test(head.slice(0, 100))) return 'calendar'
  if (/^\s*BEGIN:VCARD\s*$/im.test(head.slice(0, 100))) return 'contacts'
  return /^\s*<(?:\?xml\s|!DOCTYPE\s+(?!html\b)[\w:.-]+\s+(?:PUBLIC|SYSTEM)\b)/i.test(head) ||
    (XML_NAMES.test(extension) && /^\s*<[\w!]/.test(head))
    ? 'xml'
    : undefined
}

const NOTEBOOK = /^\s*\{\s*"(?:cells|metadata|nbformat)"[^]*"cell_type"\s*:/
const SUBRIP = /^\s*\d+[ \t]*\r?\n\d+:\d{2}:\d{2}[,.]\d{1,3}\s*-->/
const XML_NAMES = /^(?:xml|xsd|xsl|xslt|rss|atom|rdf|kml|gpx|opml|tei|dita|dbk|wsdl|plist|nxml)$/

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

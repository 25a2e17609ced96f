// Detects what is in a ZIP: a document, which is an archive of its parts, or an archive of files.
import { type ArchiveKind, DOCUMENT_TYPES, type DocumentKind } from './document-types.ts'

const ENTRY = Buffer.from('PK\x03\x04', 'latin1')
/** By names that are unique to a format. */
const PARTS: readonly [RegExp, DocumentKind][] = [
  [/^xl\/(?:_rels\/workbook\.bin\.rels|workbook\.bin|worksheets\/sheet\d+\.bin)$/, 'xlsb'],
  [/^word\//, 'docx'],
  [/^xl\//, 'xlsx'],
  [/^ppt\//, 'pptx'],
  [/^visio\//, 'vsdx'],
  [/^(?:index\.apxl(?:\.gz)?|Index\/(?:Slide|MasterSlide|TemplateSlide)[^/]*\.iwa)$/, 'key'],
  [/^(?:index\.xml(?:\.gz)?|Index\/Document\.iwa)$/, 'pages'],
]
/** Kinds whose parts have the names of another kind too. */
const FINER: Partial<Record<DocumentKind, DocumentKind>> = { xlsx: 'xlsb', pages: 'key' }
/** By the declared type in the first entry. */
const TYPED = ['odt', 'ods', 'odp', 'odg', 'epub', 'sxw', 'sxc', 'sxi'] as const
const TYPES = TYPED.map((kind): [string, DocumentKind] => [DOCUMENT_TYPES[kind], kind])
/** What Apple's programs write looks alike: the name tells texts, sheets and slides apart. */
const APPLE: ReadonlySet<DocumentKind> = new Set(['pages', 'numbers', 'key'])
const ZIPPED: ReadonlySet<string> = new Set<DocumentKind>([
  'docx',
  'xlsx',
  'pptx',
  ...TYPED,
  'xlsb',
  'vsdx',
  'pages',
  'numbers',
  'key',
])

/** @param head its first bytes */
export function zipKind(head: Buffer, name: string): DocumentKind | Extract<ArchiveKind, 'zip'> {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const names: string[] = []
  for (let at = head.indexOf(ENTRY); at >= 0 && at + 30 < head.length; at = nextEntry(head, at)) {
    const length = head.readUInt16LE(at + 26)
    const entry = head.toString('latin1', at + 30, at + 30 + length)
    // The declared type follows the entry's name and any extra fields.
    const content = contentAt(head, at)
    const declared = entry === 'mimetype' ? head.toString('latin1', content, content + 80) : ''
    const type = TYPES.find(([start]) => declared.startsWith(start))
    if (type) return type[1]
    names.push(entry)
  }
  const kind = kindOfParts(names)
  if (kind === undefined) return ZIPPED.has(extension) ? (extension as DocumentKind) : 'zip'
  if (!APPLE.has(kind)) return kind
  if (APPLE.has(extension as DocumentKind)) return extension as DocumentKind
  // A file of this name occurs in other archives too.
  return names.some((entry) => entry.endsWith('.iwa') || entry.startsWith('index.apxl')) ? kind : 'zip'
}

/** The kind of the first part that tells one: parts of embedded documents may follow. */
function kindOfParts(names: readonly string[]): DocumentKind | undefined {
  const kindOf = (entry: string) => PARTS.find(([part]) => part.test(entry))?.[1]
  const found = names.map(kindOf).filter((kind) => kind !== undefined)
  const finer = found[0] && FINER[found[0]]
  return finer && found.includes(finer) ? finer : found[0]
}

function contentAt(head: Buffer, at: number): number {
  return at + 30 + head.readUInt16LE(at + 26) + head.readUInt16LE(at + 28)
}

/** The position behind an entry, where its size stands before it: its content may be an archive itself. */
function nextEntry(head: Buffer, at: number): number {
  const next = contentAt(head, at) + head.readUInt32LE(at + 18)
  const isKnown = head.subarray(next, next + 4).equals(ENTRY)
  return isKnown || next >= head.length ? next : head.indexOf(ENTRY, at + 4)
}

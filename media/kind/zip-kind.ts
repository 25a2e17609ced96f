// Detects what is in a ZIP: a document, which is an archive of its parts, or an archive of files.
import { DOCUMENT_TYPES, type DocumentKind, isDocumentKind } from './document-types.ts'
import type { UnreadKind } from './unread-kinds.ts'

export type ZipKind = DocumentKind | UnreadKind | 'zip'

const ENTRY = Buffer.from('PK\x03\x04', 'latin1')
/** By names that are unique to a format. */
const PARTS: readonly [RegExp, ZipKind][] = [
  [/^xl\/(?:_rels\/workbook\.bin\.rels|workbook\.bin|worksheets\/sheet\d+\.bin)$/i, 'xlsb'],
  [/^word\//i, 'docx'],
  [/^xl\//i, 'xlsx'],
  [/^ppt\//i, 'pptx'],
  [/^visio\//i, 'vsdx'],
  [/^(?:index\.apxl(?:\.gz)?|Index\/(?:Slide|MasterSlide|TemplateSlide)[^/]*\.iwa)$/, 'key'],
  [/^Index\/Tables\/[^/]*\.iwa$/, 'numbers'],
  [/^(?:index\.xml(?:\.gz)?|Index\/Document\.iwa)$/, 'pages'],
  [/^(?:FixedDocumentSequence|FixedDocSeq)\.fdseq$|\.f(?:dseq|doc|page)$/i, 'xps'],
  [/^(?:AndroidManifest\.xml|classes\.dex|Payload\/[^/]+\.app\/)/, 'program'],
  [/^\[Content_Types\]\.xml$/i, 'package'],
]
/** Kinds whose parts have the names of another kind too. */
const FINER: Partial<Record<ZipKind, ZipKind[]>> = { xlsx: ['xlsb'], pages: ['key', 'numbers'] }
/** By the declared type in the first entry; some are templates, whose types begin alike. */
const TYPED = ['odt', 'ods', 'odp', 'odg', 'epub', 'sxw', 'sxc', 'sxi', 'sxd'] as const
const TYPES: readonly [string, ZipKind][] = [
  ...TYPED.map((kind): [string, ZipKind] => [DOCUMENT_TYPES[kind], kind]),
  ['application/x-ibooks+zip', 'epub'],
  ['application/vnd.oasis.opendocument.', 'package'],
  ['application/vnd.sun.xml.', 'package'],
  ['application/vnd.adobe.indesign-idml-package', 'package'],
]
/** What Apple's programs write looks alike: the name tells texts, sheets and slides apart. */
const APPLE: ReadonlySet<string> = new Set(['pages', 'numbers', 'key'])
/** Names by which an archive that does not say what it is can be a document. */
const NAMED: Readonly<Record<string, DocumentKind>> = {
  ...Object.fromEntries(
    (['docx', 'xlsx', 'pptx', ...TYPED, 'xlsb', 'vsdx', 'pages', 'numbers', 'key'] as const).map((kind) => [
      kind,
      kind,
    ]),
  ),
  stw: 'sxw',
  stc: 'sxc',
  sti: 'sxi',
  std: 'sxd',
}

/** From the first bytes, which may not have the names of all parts. */
export function zipHeadKind(head: Buffer, name: string): ZipKind {
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
  const kind = zipKind(names, name)
  // A part that follows may tell more.
  return kind === 'package' ? 'zip' : kind
}

/** @param names of all parts */
export function zipKind(names: readonly string[], name: string): ZipKind {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const kind = kindOfParts(names)
  const named = Object.hasOwn(NAMED, extension) ? NAMED[extension] : undefined
  if (kind === undefined || kind === 'package') return named ?? kind ?? 'zip'
  if (!APPLE.has(kind)) return kind
  if (APPLE.has(extension) && isDocumentKind(extension)) return extension
  // A file of this name occurs in other archives too.
  return names.some((entry) => entry.endsWith('.iwa') || entry.startsWith('index.apxl')) ? kind : 'zip'
}

/** The kind of the first part that tells one: parts of embedded documents may follow. */
function kindOfParts(names: readonly string[]): ZipKind | undefined {
  const kindOf = (entry: string) => PARTS.find(([part]) => part.test(entry))?.[1]
  const found = names.map(kindOf).filter((kind) => kind !== undefined)
  const first = found.find((kind) => kind !== 'package') ?? found[0]
  return (first && FINER[first])?.find((finer) => found.includes(finer)) ?? first
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

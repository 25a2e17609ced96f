// Media types of the formats that are read: documents, and archives of them.
import { isKeyOf } from './is-key-of.ts'
import { OFFICE, type OfficeKind } from './office-kinds.ts'

/** Media types of supported documents. */
export const DOCUMENT_TYPES = {
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  flatdocx: 'application/vnd.ms-word.flat-opc+xml',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  odt: 'application/vnd.oasis.opendocument.text',
  ods: 'application/vnd.oasis.opendocument.spreadsheet',
  odp: 'application/vnd.oasis.opendocument.presentation',
  odg: 'application/vnd.oasis.opendocument.graphics',
  fodt: 'application/vnd.oasis.opendocument.text-flat-xml',
  fods: 'application/vnd.oasis.opendocument.spreadsheet-flat-xml',
  fodp: 'application/vnd.oasis.opendocument.presentation-flat-xml',
  fodg: 'application/vnd.oasis.opendocument.graphics-flat-xml',
  epub: 'application/epub+zip',
  rtf: 'application/rtf',
  html: 'text/html',
  eml: 'message/rfc822',
  msg: 'application/vnd.ms-outlook',
  tnef: 'application/vnd.ms-tnef',
  mbox: 'application/mbox',
  json: 'application/json',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  notebook: 'application/x-ipynb+json',
  xml: 'application/xml',
  subtitles: 'text/vtt',
  calendar: 'text/calendar',
  contacts: 'text/vcard',
  code: 'text/x-source-code',
  markdown: 'text/markdown',
  text: 'text/plain',
  ...(Object.fromEntries(Object.entries(OFFICE).map(([kind, { type }]) => [kind, type])) as Record<OfficeKind, string>),
} as const
export type DocumentKind = keyof typeof DOCUMENT_TYPES

/** Archives of other files, and single compressed files. */
export const ARCHIVE_TYPES = {
  zip: 'application/zip',
  tar: 'application/x-tar',
  gz: 'application/gzip',
  '7z': 'application/x-7z-compressed',
  rar: 'application/vnd.rar',
  xz: 'application/x-xz',
  bz2: 'application/x-bzip2',
  zst: 'application/zstd',
  compress: 'application/x-compress',
  cab: 'application/vnd.ms-cab-compressed',
  lha: 'application/x-lzh-compressed',
  arj: 'application/x-arj',
  cpio: 'application/x-cpio',
} as const
export type ArchiveKind = keyof typeof ARCHIVE_TYPES

export const isDocumentKind = isKeyOf(DOCUMENT_TYPES)
export const isArchiveKind = isKeyOf(ARCHIVE_TYPES)

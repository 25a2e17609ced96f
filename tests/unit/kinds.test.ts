// Formats detected by content, and the reasons for those that are not read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it, test } from 'vitest'
import { kindOfFile } from '../../media/kind/kind-of-file.ts'
import { isEncryptedOle } from '../../media/kind/ole-kind.ts'
import { isDocumentType, mediaTypeOf } from '../../media/kind/media-type.ts'
import { msg, ole } from '../support/ole.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinds-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function kindOf(bytes: Uint8Array, name = 'file') {
  const path = join(folder, 'file')
  writeFileSync(path, bytes)
  return kindOfFile(path, name)
}

const stream = Buffer.from('x')
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const zipped = (...names: string[]) => zipSync(Object.fromEntries(names.map((name) => [name, stream])), { level: 0 })
const xml = (root: string) => Buffer.from(`<?xml version="1.0"?>\n${root}`)

test.each<[string, Uint8Array, string]>([
  ['doc', ole({ WordDocument: stream, ObjectPool: { _1: { Workbook: stream } } }), 'a.bin'],
  ['xls', ole({ Workbook: stream }), 'a.doc'],
  ['ppt', ole({ 'PowerPoint Document': stream }), 'a'],
  ['vsd', ole({ VisioDocument: stream }), 'a'],
  ['wps', ole({ MatOST: stream }), 'a.wps'],
  ['msg', msg({ subject: 'S', files: { 'a.doc': ole({ WordDocument: stream }) } }), 'a.doc'],
  ['wpd', latin1('\xffWPC....'), 'a'],
  ['xlsb', zipped('[Content_Types].xml', 'xl/_rels/workbook.bin.rels', 'xl/workbook.bin'), 'a.xlsx'],
  [
    'pptx',
    zipSync({ 'ppt/presentation.xml': stream, 'ppt/embeddings/a.xlsx': zipped('xl/workbook.xml') }, { level: 0 }),
    'a',
  ],
  [
    'xlsx',
    zipSync({ 'xl/workbook.xml': stream, 'xl/embeddings/a.docx': zipped('word/document.xml') }, { level: 0 }),
    'a',
  ],
  ['vsdx', zipped('[Content_Types].xml', 'visio/document.xml'), 'a.zip'],
  ['pages', zipped('Index/Document.iwa'), 'a.pages'],
  ['numbers', zipped('Index/Document.iwa', 'Index/Tables/Tile.iwa'), 'a.numbers'],
  ['key', zipped('Index/Document.iwa', 'Index/Slide-1.iwa'), 'a'],
  // The part that tells stands behind large pictures.
  [
    'docx',
    zipSync(
      { '[Content_Types].xml': stream, 'media/a.png': new Uint8Array(70_000), 'word/document.xml': stream },
      { level: 0 },
    ),
    'a',
  ],
  ['sxd', zipSync({ mimetype: latin1('application/vnd.sun.xml.draw') }, { level: 0 }), 'a'],
  ['sxw', zipped('content.xml', 'META-INF/manifest.xml'), 'a.stw'],
  ['epub', zipSync({ mimetype: latin1('application/x-ibooks+zip') }, { level: 0 }), 'a.ibooks'],
  ['xls', ole({ WORKBOOK: stream }), 'a'],
  ['xls', latin1('\x09\x04\x06\x00\x00\x00\x10\x00'), 'a.xls'],
  ['wps', ole({ CONTENTS: stream }), 'a.wps'],
  ['sdw', ole({ StarWriterDocument: stream }), 'a.vor'],
  ['sdc', ole({ StarCalcDocument: stream }), 'a.sdc'],
  ['sdd', ole({ StarDrawDocument3: stream }), 'a.sdd'],
  ['lotus', latin1('\0\0\x02\0\x06\x04\x06\0'), 'a.wk1'],
  ['wri', latin1('\x31\xbe\0\0\0\xab'), 'a.wri'],
  ['tnef', latin1('\x78\x9f\x3e\x22'), 'winmail.dat'],
  ['odg', zipSync({ mimetype: latin1('application/vnd.oasis.opendocument.graphics') }, { level: 0 }), 'a'],
  ['fodt', xml('<office:document office:mimetype="application/vnd.oasis.opendocument.text"/>'), 'a.xml'],
  ['flatdocx', xml('<pkg:package><pkg:part pkg:name="/word/document.xml"/></pkg:package>'), 'a.xml'],
  ['wordxml', xml('<?mso-application progid="Word.Document"?><w:wordDocument/>'), 'a.xml'],
  ['excelxml', xml('<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>'), 'a.xls'],
])('%s is told by its content', async (kind, bytes, name) => {
  expect(await kindOf(bytes, name)).toBe(kind)
})

test.each<[string, Uint8Array, string, RegExp]>([
  ['encrypted', ole({ EncryptedPackage: stream, EncryptionInfo: stream }), 'a.docx', /password/],
  ['not_a_document', latin1('-----BEGIN PGP MESSAGE-----\n\nabc'), 'a.asc', /PGP/],
  ['not_a_document', Buffer.from('3082010006092a864886f70d010703', 'hex'), 'smime.p7m', /S\/MIME/],
  ['not_a_document', zipped('[Content_Types].xml', 'FixedDocSeq.fdseq', 'Documents/1/Pages/1.fpage'), 'a', /XPS/],
  ['not_a_document', zipped('[Content_Types].xml', 'theme/theme/theme1.xml'), 'a.thmx', /package/],
  [
    'not_a_document',
    zipSync({ mimetype: latin1('application/vnd.oasis.opendocument.base') }, { level: 0 }),
    'a',
    /package/,
  ],
  ['not_a_document', ole({ Props12: stream }), 'a.mpp', /Project/],
  ['not_a_document', ole({ '\x05HwpSummaryInformation': stream, BodyText: {} }), 'a.hwp', /Hangul/],
  ['not_a_document', ole({ swXmlContents: stream }), 'a.sldprt', /old format/],
  ['not_a_document', latin1('AC1032\0\0\0\0'), 'a.dwg', /AutoCAD/],
  ['not_a_document', latin1('BM6\0\0\0\0\0\0\0'), 'a.bmp', /PNG/],
  ['not_a_document', latin1('#!AMR\n'), 'a.amr', /MP3/],
  ['not_a_document', latin1('OggS\0'), 'a.ogg', /audio/],
  ['not_a_document', latin1('ITSF\x03'), 'a.chm', /CHM/],
  ['not_a_document', latin1('\xca\xfe\xba\xbe\0\0'), 'a.class', /program/],
  ['not_a_document', latin1('SQLite format 3\x00'), 'a.db', /CSV/],
  ['not_a_document', latin1('\x7fELF\x02\x01'), 'a.docx', /program/],
])('what is not read has a right reason: %s', async (reason, bytes, name, message) => {
  await expect(kindOf(bytes, name)).rejects.toMatchObject({ reason, message: expect.stringMatching(message) })
})

test.each([
  ['Word', { WordDocument: Buffer.alloc(5_000).fill(1, 11, 12) }, true],
  ['Word', { WordDocument: Buffer.alloc(5_000) }, false],
  ['Excel', { Workbook: Buffer.concat([Buffer.from('09080200ffff2f000600', 'hex'), Buffer.alloc(5_000)]) }, true],
  ['Excel', { Workbook: Buffer.concat([Buffer.from('09080200ffff42000200', 'hex'), Buffer.alloc(5_000)]) }, false],
  ['PowerPoint', { 'PowerPoint Document': stream, EncryptedSummary: stream }, true],
])('an old document of %s (%#) tells whether it has a password', async (_, streams, isEncrypted) => {
  const path = join(folder, 'old')
  writeFileSync(path, ole(streams))
  expect(await isEncryptedOle(path)).toBe(isEncrypted)
})

it('an attached file has the type of its kind before it is read', () => {
  expect(mediaTypeOf(ole({ WordDocument: stream }), 'a.doc')).toBe('application/msword')
  expect(mediaTypeOf(msg({ subject: 'S' }), 'a.msg')).toBe('application/vnd.ms-outlook')
  expect(isDocumentType('application/msword')).toBe(true)
  expect(isDocumentType('application/zip')).toBe(false)
})

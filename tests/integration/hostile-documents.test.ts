// Malicious documents: each is refused with its reason, before a library opens it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readDocument } from '../../media/document/parse-document.ts'
import * as documents from '../support/documents.ts'
import { ole } from '../support/ole.ts'
import { tempDir } from '../support/temp-dir.ts'

const LIMITS = { memory_mb: 512, time_ms: 30_000, output_bytes: 8_000_000, max_pages: 5_000 }

function read(bytes: Uint8Array | string, name: string) {
  const path = join(tempDir(), 'document')
  writeFileSync(path, bytes)
  return readDocument(path, { name, signal: new AbortController().signal, limits: LIMITS })
}

/** A small archive that says it is a Word document. */
const word = (parts: Record<string, string | Uint8Array>) =>
  documents.zip({ '[Content_Types].xml': '<Types/>', ...parts })
const BODY = '<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p></w:body></w:document>'
const LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
const SPIES = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'

/** The same archive with a name in it changed for one as long. */
function renamed(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1')
}

/** With the word at this place of every entry of its directory changed but the first, which is stored as it is. */
function inDirectory(bytes: Buffer, at: number, change: (value: number) => number, size: 2 | 4 = 2): Buffer {
  const changed = Buffer.from(bytes)
  for (
    let entry = changed.indexOf('PK\x01\x02', changed.indexOf('PK\x01\x02', 0, 'latin1') + 4, 'latin1');
    entry >= 0;
    entry = changed.indexOf('PK\x01\x02', entry + 4, 'latin1')
  )
    changed.writeUIntLE(change(changed.readUIntLE(entry + at, size)), entry + at, size)
  return changed
}

describe('an archive is refused', () => {
  test.each([
    [
      'unsafe',
      'that unpacks to far more than its size',
      () => word({ 'word/document.xml': Buffer.alloc(300 * 2 ** 20, ' ') }),
    ],
    [
      'unsafe',
      'with a name that leads outside',
      () => renamed(word({ 'word/document.xml': BODY, 'aa/bb.xml': '<a/>' }), 'aa/bb.xml', '../bb.xml'),
    ],
    [
      'unsafe',
      'with an absolute name',
      () => renamed(word({ 'word/document.xml': BODY, 'aa/bb.xml': '<a/>' }), 'aa/bb.xml', '/a/bb.xml'),
    ],
    [
      'unsafe',
      'with two entries of one name',
      () => renamed(word({ 'word/document.xml': BODY, 'word/dokument.xml': BODY }), 'dokument', 'document'),
    ],
    [
      'unsafe',
      'of more entries than any document has',
      () => word(Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`word/${index}`, '']))),
    ],
    ['encrypted', 'that is encrypted', () => inDirectory(word({ 'word/document.xml': BODY }), 8, (flags) => flags | 1)],
    [
      'damaged',
      'that lies about the size of an entry',
      () => inDirectory(word({ 'word/document.xml': BODY.repeat(50) }), 24, (length) => Math.min(length, 9), 4),
    ],
    [
      'damaged',
      'whose bytes are not those that were put in',
      () => inDirectory(word({ 'word/document.xml': BODY }), 16, (checksum) => (checksum ^ 1) >>> 0, 4),
    ],
    ['damaged', 'without its main part', () => word({ 'word/other.xml': BODY })],
    ['damaged', 'that ends within', () => word({ 'word/document.xml': BODY }).subarray(0, -30)],
  ] as const)('%s: one %s', async (reason, _, write) => {
    await expect(read(write(), 'a.docx')).rejects.toMatchObject({ name: 'MediaFailure', reason })
  })
})

describe('entities of its own are refused', () => {
  const book = (strings: string) =>
    documents.zip({
      'xl/workbook.xml': '<workbook><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>',
      'xl/sharedStrings.xml': strings,
    })
  test.each([
    ['DOCX', () => word({ 'word/document.xml': LAUGHS + BODY.replace('Hello', '&c;') }), 'a.docx'],
    [
      'DOCX, in a part beside',
      () => word({ 'word/document.xml': BODY, 'word/styles.xml': `${SPIES}<a>&b;</a>` }),
      'a.docx',
    ],
    ['XLSX', () => book(`${LAUGHS}<sst><si><t>&c;</t></si></sst>`), 'a.xlsx'],
    ['PPTX', () => documents.zip({ 'ppt/presentation.xml': `${LAUGHS}<p:presentation/>` }), 'a.pptx'],
    [
      'ODT',
      () =>
        documents.zip({
          mimetype: 'application/vnd.oasis.opendocument.text',
          'content.xml': `${SPIES}<office:document-content>&b;</office:document-content>`,
        }),
      'a.odt',
    ],
  ] as const)('in %s', async (_, write, name) => {
    await expect(read(write(), name)).rejects.toMatchObject({ name: 'MediaFailure', reason: 'unsafe' })
  })
})

describe('what opens only with a password, or not at all, says so', () => {
  const noise = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(90_000)])
  const manifest = '<m:manifest xmlns:m="m"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
  const drm =
    '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></EncryptedData></encryption>'
  test.each([
    ['encrypted', 'a DOCX with a password', () => ole({ EncryptedPackage: noise }), 'a.docx'],
    [
      'encrypted',
      'an ODS with a password',
      () =>
        documents.zip({
          mimetype: 'application/vnd.oasis.opendocument.spreadsheet',
          'META-INF/manifest.xml': manifest,
          'content.xml': 'noise',
        }),
      'a.ods',
    ],
    [
      'encrypted',
      'a book of a shop',
      () => documents.zip({ mimetype: 'application/epub+zip', 'META-INF/encryption.xml': drm }),
      'a.epub',
    ],
    ['not_a_document', 'an old format that is unknown', () => noise, 'a.doc'],
    ['not_a_document', 'an archive of something else', () => documents.zip({ 'classes/A.class': 'x' }), 'a.jar'],
  ] as const)('%s: %s', async (reason, _, write, name) => {
    const refused = read(write(), name)
    await expect(refused).rejects.toMatchObject({ name: 'MediaFailure', reason })
    if (name === 'a.doc') await expect(refused).rejects.toThrow(/save it as DOCX/)
  })
})

test.each([
  ['HTML', `<html>${'<div>'.repeat(100_000)}deep`, 'a.html'],
  ['JSON', `${'['.repeat(100_000)}1${']'.repeat(100_000)}`, 'a.json'],
  ['RTF', `{\\rtf1 ${'{'.repeat(100_000)}deep`, 'a.rtf'],
  ['a table in a table', `<html>${'<table><tr><td>'.repeat(5_000)}deep`, 'a.html'],
])('%s that is nested too deeply is refused', async (_, text, name) => {
  await expect(read(text, name)).rejects.toMatchObject({ name: 'MediaFailure', reason: 'unsafe' })
})

test('a book that refers to files outside of itself contains none of their text', async () => {
  const outside = documents.epub('../../../../../../etc/passwd')
  const { pages } = await read(outside, 'a.epub')
  expect(pages).toHaveLength(2)
  expect(JSON.stringify(pages)).not.toMatch(/root:/)
})

// What a file is taken for.
import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { sniffDocument } from '../../media/kind/sniff-document.ts'

const bytes = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding)
const zipped = (...names: string[]) =>
  Buffer.from(zipSync(Object.fromEntries(names.map((name) => [name, Buffer.from('<a/>')]))))

test.each([
  ['pdf', bytes('%PDF-1.7\n%\xe2\xe3', 'latin1'), 'a.txt'],
  ['pdf', bytes(`${' '.repeat(900)}%PDF-1.4`), 'a'],
  ['text', bytes('Hello, 世界'), 'a.pdf'],
  ['markdown', bytes('# Hello'), 'README.MD'],
  ['text', bytes('\ufeffHello', 'utf16le'), 'a.txt'],
  ['text', bytes('Gr\xfc\xdfe aus K\xf6ln am Rhein', 'latin1'), 'a.txt'],
  ['text', bytes('世'.repeat(30_000)), 'cut in the middle of a character.txt'],
  [undefined, bytes('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), 'a.md'],
  ['zip', zipped('notes/a.txt'), 'a.txt'],
  ['docx', zipped('[Content_Types].xml', 'word/document.xml'), 'a.zip'],
  ['docx', zipped('customXml/a.xml'), 'a.docx'],
  ['ole', bytes('d0cf11e0a1b11ae1', 'hex'), 'a.docx'],
  ['html', bytes('<!DOCTYPE html>\n<title>a</title>'), 'a.txt'],
  ['html', bytes('<?xml version="1.0"?>\n<!-- by us -->\n<html xmlns="a">'), 'a'],
  ['html', bytes('<p>Half a page'), 'a.htm'],
  ['html', bytes('<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN">\n<title>a</title>'), 'a.txt'],
  ['xml', bytes('<!DOCTYPE article\nPUBLIC "-//NLM//DTD JATS//EN" "a.dtd">\n<article><p>a</p></article>'), 'a.nxml'],
  ['xml', bytes('<!DOCTYPE note SYSTEM "note.dtd">\n<note>a</note>'), 'note'],
  ['text', bytes('Use <html> at the top, and <p> below.'), 'a.txt'],
  ['csv', bytes('a,b,c\n1,2,3\n4,"5,6",7\n8,9,10\n'), 'table'],
  ['csv', bytes('one;two\n1;2\n3;4\n5;6\n'), 'table.dat'],
  ['tsv', bytes('one\ttwo\n1\t2\n3\t4\n5\t6\n'), 'table'],
  ['csv', bytes('only one column\nof words'), 'a.csv'],
  ['text', bytes('He came, saw, left.\nShe stayed, alas.\nThe end, then.\n'), 'story'],
  [undefined, Buffer.from(Array.from({ length: 256 }, (_, index) => 254 - (index % 100))), 'a.txt'],
  [undefined, Buffer.from([0xff, 0xfe, 0x41, 0, 0, 0]), 'a.txt'],
  [undefined, Buffer.alloc(0), 'a.md'],
])('%s by content (case %#)', (kind, content, name) => {
  expect(sniffDocument(content, name)).toBe(kind)
})

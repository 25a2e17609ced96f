// What a file is taken for.
import { expect, test } from 'vitest'
import { sniff } from '../../media/sniff.ts'

const bytes = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding)

test.each([
  ['pdf', bytes('%PDF-1.7\n%\xe2\xe3', 'latin1'), 'a.txt'],
  ['pdf', bytes(`${' '.repeat(900)}%PDF-1.4`), 'a'],
  ['text', bytes('Hello, 世界'), 'a.pdf'],
  ['markdown', bytes('# Hello'), 'README.MD'],
  ['text', bytes('\ufeffHello', 'utf16le'), 'a.txt'],
  ['text', bytes('Gr\xfc\xdfe aus K\xf6ln am Rhein', 'latin1'), 'a.txt'],
  ['text', bytes('世'.repeat(30_000)), 'cut in the middle of a character.txt'],
  [undefined, bytes('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), 'a.md'],
  [undefined, bytes('PK\x03\x04\x14\0', 'latin1'), 'a.txt'],
  [undefined, bytes('{\\rtf1\\ansi Hello}'), 'a.txt'],
  [undefined, Buffer.from(Array.from({ length: 256 }, (_, index) => 254 - (index % 100))), 'a.txt'],
  [undefined, Buffer.from([0xff, 0xfe, 0x41, 0, 0, 0]), 'a.txt'],
  [undefined, Buffer.alloc(0), 'a.md'],
])('%s by content (case %#)', (kind, content, name) => {
  expect(sniff(content, name)).toBe(kind)
})

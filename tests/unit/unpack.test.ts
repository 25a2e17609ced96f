// Archives as programs of Windows, macOS and East Asia write them: names, and files in them that cannot be read.
import { createRequire } from 'node:module'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { zipSync } from 'fflate'
import type { SevenZipModuleFactory } from '7z-wasm'
import { pack } from 'tar-stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { isArchiveKind } from '../../media/kind/document-types.ts'
import { sniffFile } from '../../media/kind/kind-of-file.ts'
import { withMembers } from '../../media/document/members.ts'
import { decodeNames } from '../../media/document/unpack/file-names.ts'
import { MemberFiles } from '../../media/document/unpack/member-files.ts'
import { unpackArchive } from '../../media/document/unpack/unpack.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'archives-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function unpacked(bytes: Uint8Array, name = 'files') {
  const within = mkdtempSync(join(folder, 'a-'))
  const path = join(within, 'archive')
  writeFileSync(path, bytes)
  const kind = await sniffFile(path, name)
  if (!isArchiveKind(kind)) throw new Error(`it is ${kind}`)
  const files = new MemberFiles(within)
  await unpackArchive(files, { path, name }, kind)
  return {
    files: Object.fromEntries(files.members.map((member) => [member.name, readFileSync(member.path, 'utf8')])),
    skipped: files.skipped.map(({ name, reason }) => [name, reason]),
  }
}

const text = (words: string) => Buffer.from(words)
/** Changes every place of some bytes for others, as many. */
function replaced(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = copy.indexOf(from); at >= 0; at = copy.indexOf(from, at + 1)) copy.set(to, at)
  return copy
}

test.each<[string, string, string[]]>([
  ['Shift_JIS', '8ca990cf 8f912e747874', ['見積書.txt']],
  ['Shift_JIS', '83658358 83672e747874', ['テスト.txt']],
  ['GBK', 'b1a8b8e6 2e747874', ['报告.txt']],
  ['Big5', 'b3f8a769 2e747874', ['報告.txt']],
  ['EUC-KR', 'bab8b0ed bcad2e747874', ['보고서.txt']],
  ['DOS', '477294e1 65 2e747874', ['Größe.txt']],
  ['DOS of the North', '536d9b727265 62729b64 2e747874', ['Smørrebrød.txt']],
  ['Cyrillic DOS', '8ee2e7a5e2 2e747874', ['Отчет.txt']],
  ['DOS', '6368837465 6175202d 2082 7482 2e747874', ['château - été.txt']],
  ['UTF-8', '4772c3b6c39f652e747874', ['Größe.txt']],
])('a name in %s (%s) is readable', (_, hex, names) => {
  expect(decodeNames([Buffer.from(hex.replaceAll(' ', ''), 'hex')])).toEqual(names)
})

describe('a ZIP', () => {
  it('has files under the names of other programs, and none of operating systems', async () => {
    const zip = zipSync({
      'AAAA\\BB.txt': text('one'),
      '__MACOSX/._a': text('x'),
      'd/.DS_Store': text('x'),
      'e/': text(''),
    })
    const named = replaced(zip, text('AAAA'), Buffer.from('8ca990cf', 'hex'))
    expect(await unpacked(named)).toEqual({ files: { '見積/BB.txt': 'one' }, skipped: [] })
  })

  it('with files that are encrypted, damaged or unsafe has the others', async () => {
    const zip = zipSync(
      { 'good.txt': text('good'), 'dirt.txt': text('DAMAGED'), '../out.txt': text('out'), 'last.txt': text('last') },
      { level: 0 },
    )
    expect(await unpacked(replaced(zip, text('DAMAGED'), text('DAMAGER')))).toEqual({
      files: { 'good.txt': 'good', 'last.txt': 'last' },
      skipped: [
        ['dirt.txt', 'damaged'],
        ['../out.txt', 'unsafe'],
      ],
    })
    const flagged = Buffer.from(zip)
    // The flags in the directory, whose entries begin with this mark.
    const entry = flagged.indexOf(Buffer.from('PK\x01\x02', 'latin1'))
    flagged[entry + 8]! |= 1
    expect((await unpacked(flagged)).skipped[0]).toEqual(['good.txt', 'encrypted'])
  })

  it('whose end is missing has the files before it, and says so', async () => {
    for (const level of [0, 9] as const) {
      const zip = zipSync(
        { 'Größe.txt': text('one'), 'b.bin': crypto.getRandomValues(new Uint8Array(4_000)) },
        { level },
      )
      expect(await unpacked(zip.subarray(0, 2_000))).toEqual({
        files: { 'Größe.txt': 'one' },
        skipped: [
          ['b.bin', 'damaged'],
          ['The rest of the archive', 'damaged'],
        ],
      })
    }
  })

  it('without files is an empty archive', async () => {
    expect(await unpacked(zipSync({}))).toEqual({ files: {}, skipped: [] })
  })

  it('has names as macOS writes them in the form in which they are searched for', async () => {
    const { files } = await unpacked(zipSync({ ['Größe.txt'.normalize('NFD')]: text('one') }))
    expect(files).toEqual({ 'Größe.txt': 'one' })
  })

  it('with a file that unpacks to far more than its size has the others', async () => {
    const bomb = zipSync({ 'zeros.txt': new Uint8Array(33 * 2 ** 20), 'good.txt': text('good') })
    expect(await unpacked(bomb)).toEqual({ files: { 'good.txt': 'good' }, skipped: [['zeros.txt', 'unsafe']] })
  })

  it('with a mail has the files that are attached to it', async () => {
    const mail = 'From: a@b.c\r\nSubject: S\r\nContent-Disposition: attachment; filename=n.txt\r\n\r\nNOTE\r\n'
    expect((await unpacked(zipSync({ 'a.eml': text(mail) }))).files).toEqual({ 'a.eml': mail, 'a.eml/n.txt': 'NOTE\n' })
  })
})

describe('an archive within an archive', () => {
  const nested = (levels: number): Uint8Array =>
    zipSync(
      levels === 0 ? { 'a.txt': text('deep') } : { 'in.zip': nested(levels - 1), 'b.txt': text(`level ${levels}`) },
    )

  it('is opened two levels deep, each file by its whole name; a deeper one is named', async () => {
    expect(await unpacked(nested(3))).toEqual({
      files: { 'in.zip/in.zip/b.txt': 'level 1', 'in.zip/b.txt': 'level 2', 'b.txt': 'level 3' },
      skipped: [['in.zip/in.zip/in.zip', 'not_a_document']],
    })
  })

  it('that is damaged or leads outside is named, and the others are read', async () => {
    const zip = zipSync({
      'bad.7z': Buffer.concat([Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1'), Buffer.alloc(40)]),
      'out.zip': zipSync({ '../x.txt': text('x'), 'y.txt': text('y') }),
      'c.tar.gz': gzipSync(await tar({ 'c.txt': 'c' })),
    })
    expect(await unpacked(zip)).toEqual({
      files: { 'out.zip/y.txt': 'y', 'c.tar.gz/c.txt': 'c' },
      skipped: [
        ['bad.7z', 'damaged'],
        ['out.zip/../x.txt', 'unsafe'],
      ],
    })
  })

  it('counts towards the limits of the whole', async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`${index}.txt`, text('x')]))
    const zip = zipSync({ 'a.zip': zipSync(many), 'b.zip': zipSync(many) })
    await expect(unpacked(zip)).rejects.toMatchObject({ reason: 'too_large' })
  })
})

async function tar(files: Record<string, string>): Promise<Buffer> {
  const archive = pack()
  for (const [name, words] of Object.entries(files)) archive.entry({ name }, words)
  archive.entry({ name: 'link', type: 'symlink', linkname: '/etc/passwd' })
  archive.finalize()
  return buffer(archive)
}

describe('a tar', () => {
  it('is read plain and compressed, without links', async () => {
    const bytes = await tar({ 'a/Größe.txt': 'one', '../out.txt': 'out', 'b.txt': 'two' })
    const expected = { files: { 'a/Größe.txt': 'one', 'b.txt': 'two' }, skipped: [['../out.txt', 'unsafe']] }
    expect(await unpacked(bytes)).toEqual(expected)
    expect(await unpacked(gzipSync(bytes), 'files.tgz')).toEqual(expected)
  })

  it('whose end is missing has the files before it, and says so', async () => {
    const bytes = await tar({ 'a.txt': 'one', 'b.txt': 'x'.repeat(5_000) })
    expect(await unpacked(bytes.subarray(0, 3_000))).toMatchObject({
      files: { 'a.txt': 'one' },
      skipped: [expect.anything(), ['The rest of the archive', 'damaged']],
    })
  })
})

it('a file that is compressed by gzip has its name without the ending', async () => {
  expect((await unpacked(gzipSync(text('words')), 'notes.txt.gz')).files).toEqual({ 'notes.txt': 'words' })
})

/** Archives of 7-Zip, with the password if one is given. */
async function sevenZip(ending: string, files: Record<string, string>, ...options: string[]): Promise<Uint8Array> {
  const start = createRequire(import.meta.url)('7z-wasm') as SevenZipModuleFactory
  const program = await start({ print: () => {}, printErr: () => {} })
  for (const [name, words] of Object.entries(files)) program.FS.writeFile(name, words)
  program.callMain(['a', ...options, `out.${ending}`, ...Object.keys(files)])
  return program.FS.readFile(`out.${ending}`) as Uint8Array
}

describe('7-Zip', () => {
  it('gives the files of a 7z; those with a password are named', async () => {
    const files = { 'Größe.txt': 'one', 'b.txt': 'two' }
    expect(await unpacked(await sevenZip('7z', files))).toEqual({ files, skipped: [] })
    expect((await unpacked(await sevenZip('7z', files, '-psecret'))).skipped).toEqual([
      ['Größe.txt', 'encrypted'],
      ['b.txt', 'encrypted'],
    ])
    await expect(sevenZip('7z', files, '-psecret', '-mhe=on').then(unpacked)).rejects.toMatchObject({
      reason: 'encrypted',
    })
  })

  it('gives the files of what xz and bzip2 compressed', async () => {
    expect((await unpacked(await sevenZip('xz', { 'notes.txt': 'words' }), 'notes.txt.xz')).files).toEqual({
      'notes.txt': 'words',
    })
    const archive = (await tar({ 'a.txt': 'one' })).toString('latin1')
    const bytes = await sevenZip('bz2', { 'a.tar': archive })
    expect((await unpacked(bytes, 'a.tar.bz2')).files).toEqual({ 'a.txt': 'one' })
  })

  it('gives the files of a ZIP that is compressed by other methods', async () => {
    const files = { 'a.txt': 'one '.repeat(100), 'b.txt': 'two '.repeat(100) }
    for (const method of ['LZMA', 'BZip2', 'Deflate64', 'PPMd'])
      expect(await unpacked(await sevenZip('zip', files, `-mm=${method}`))).toEqual({ files, skipped: [] })
  })

  it('gives them in the child program, which has few permissions', async () => {
    const path = join(folder, 'confined.7z')
    writeFileSync(path, await sevenZip('7z', { 'a.txt': 'one' }))
    const limits = { memory_mb: 1_024, time_ms: 60_000, output_bytes: 2 ** 20 }
    const options = { signal: new AbortController().signal, limits, name: 'a.7z' }
    expect(await withMembers(path, options, async ({ members }) => members.map(({ name }) => name))).toEqual(['a.txt'])
  })

  it('refuses a damaged 7z', async () => {
    const bytes = await sevenZip('7z', { 'a.txt': 'one' })
    await expect(unpacked(bytes.subarray(0, -20))).rejects.toMatchObject({ reason: 'damaged' })
  })
})

/** Made by other programs, from the tests of libarchive. */
describe('a file of another program', () => {
  const read = (name: string) => unpacked(readFileSync(new URL(`../fixtures/archives/${name}`, import.meta.url)), name)

  it('is a RAR, whose files are read, and those in a ZIP in it', async () => {
    const { files, skipped } = await read('zip-in-rar5.rar')
    expect(Object.keys(files)).toEqual(['payload/inner.zip/THIS_IS_INSIDE_THE_ZIP.txt', 'payload/real_after.txt'])
    expect(skipped).toEqual([])
    expect(Object.keys((await read('unicode.rar')).files)).toContain(
      '表だよ/漢字長いファイル名long-filename-in-漢字.txt',
    )
  })

  it('is one with a password: files are named, or the whole is refused', async () => {
    const { files, skipped } = await read('encrypted-files.rar')
    expect(Object.keys(files)).toEqual(['a.txt', 'c.txt'])
    expect(skipped).toEqual([
      ['b.txt', 'encrypted'],
      ['d.txt', 'encrypted'],
    ])
    await expect(read('encrypted-names.rar')).rejects.toMatchObject({ reason: 'encrypted' })
    await expect(read('encrypted-names.7z')).rejects.toMatchObject({ reason: 'encrypted' })
  })

  it('is a volume of several, or compressed by another method: what cannot be read is named', async () => {
    expect(await read('volume.part3.rar')).toEqual({ files: {}, skipped: [['LibarchiveAddingTest.html', 'damaged']] })
    expect((await read('zstandard.7z')).skipped[0]).toEqual(['dir1/file1', 'not_a_document'])
  })

  test.each([
    ['files.cab', ['empty', 'dir1/file1', 'dir2/file2']],
    ['files.lzh', ['file1', 'file2']],
    ['data.Z', ['data']],
  ])('is %s', async (name, names) => {
    expect(Object.keys((await read(name)).files)).toEqual(names)
  })
})

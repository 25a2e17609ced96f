// Mails as programs write them: forms of the body, parts in order, character sets, forwarded mails.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { readMailFile } from '../../media/document/readers/eml.ts'
import type { MailKind } from '../../media/document/readers/parse-mail.ts'
import { sniffDocument } from '../../media/kind/sniff-document.ts'
import { MemberFiles } from '../../media/document/unpack/member-files.ts'
import { unpackMail } from '../../media/document/unpack/unpack.ts'
import { msg } from '../support/ole.ts'
import { tnef } from '../support/tnef.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/mails/${name}`, import.meta.url))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mails-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
function stored(bytes: Uint8Array): string {
  const path = join(folder, `mail-${(count += 1)}`)
  writeFileSync(path, bytes)
  return path
}

const pages = (bytes: Uint8Array, kind: MailKind = 'eml') => readMailFile(stored(bytes), kind)
const textOf = async (bytes: Uint8Array) => (await pages(bytes)).map(({ text }) => text).join('\n')

async function unpacked(bytes: Uint8Array, kind: MailKind = 'eml') {
  const files = new MemberFiles(mkdtempSync(join(folder, 'files-')))
  await unpackMail(files, { path: stored(bytes) }, kind)
  const members = files.members.map(({ name, path }) => ({ name, path, text: readFileSync(path, 'utf8') }))
  return { members, skipped: files.skipped }
}

const mail = (...lines: string[]) =>
  Buffer.from(['From: a@example.com', 'Subject: Tides', 'MIME-Version: 1.0', ...lines, ''].join('\r\n'), 'latin1')
const multipart = (type: string, boundary: string, ...parts: string[][]) => [
  `Content-Type: multipart/${type}; boundary="${boundary}"`,
  '',
  ...parts.flatMap((part) => [`--${boundary}`, ...part]),
  `--${boundary}--`,
]
const part = (type: string, ...lines: string[]) => [`Content-Type: ${type}`, '', ...lines]

describe('the body', () => {
  it('is the text when the HTML form is empty, and has every part in order', async () => {
    const text = await textOf(fixture('forwarded.eml'))
    expect(text).toContain('OUTER-TEXT is here.')
    expect(text.indexOf('Please see the forwarded mail.')).toBeGreaterThan(text.indexOf('OUTER-TEXT'))
    expect(await textOf(fixture('html-then-text.eml'))).toMatch(/HTML-PART-ONE\s+PLAIN-PART-TWO/)
    expect(await textOf(fixture('mail-parts.eml'))).toMatch(/HTML-PART-ONE\s+HTML-PART-THREE/)
  })

  it('is the HTML form where that has the text, and the text where the HTML form lacks most of it', async () => {
    const plain = part('text/plain', 'The tide turns at noon, and the fairway is nine metres deep.')
    const rich = part('text/html', '<p>The tide turns at <b>noon</b>, and the fairway is nine metres deep.</p>')
    const poor = part('text/html', '<p>See the text.</p>')
    expect(await textOf(mail(...multipart('alternative', 'x', plain, rich)))).toContain('**noon**')
    const text = await textOf(mail(...multipart('alternative', 'x', plain, poor)))
    expect(text).toContain('nine metres')
    expect(text).not.toContain('See the text')
  })

  it('is both forms where they are two texts', async () => {
    const plain = part('text/plain', 'The tide turns at noon, and the fairway is nine metres deep.')
    const other = part('text/html', '<p>Dogs travel free of charge on every ferry to Sund this summer.</p>')
    const text = await textOf(mail(...multipart('alternative', 'x', plain, other)))
    expect(text).toMatch(/nine metres deep\.\n\nDogs travel free/)
  })

  it('has the parts of a form that has several, and its files are attached', async () => {
    const several = multipart(
      'mixed',
      'y',
      part('text/html', '<html><body>ONE</body></html>'),
      ['Content-Disposition: attachment; filename=a.csv', ...part('text/csv', 'a,b')],
      part('text/html', '<html><body>THREE</body></html>'),
    )
    const bytes = mail(...multipart('alternative', 'x', part('text/plain', 'ONE'), several))
    expect(await textOf(bytes)).toMatch(/Attachments: a\.csv\s+ONE\s+THREE/)
    expect((await unpacked(bytes)).members.map(({ name }) => name)).toEqual(['a.csv'])
  })

  it('names parts that are encrypted, and pictures that are not read', async () => {
    const related = multipart('related', 'z', part('text/html', '<p>Hello <img src="cid:a"></p>'), [
      'Content-ID: <a>',
      ...part('image/png', 'x'),
    ])
    const encrypted = multipart('encrypted', 'e', part('application/pgp-encrypted', 'Version: 1'))
    const [page] = await pages(mail(...multipart('mixed', 'x', related, encrypted)))
    expect(page!.notices).toEqual([
      { code: 'left_out', message: expect.stringContaining('Pictures'), count: 1 },
      { code: 'unreadable', message: expect.stringContaining('encrypted'), count: 1 },
    ])
  })
})

it('a saved web page has its text and files by their addresses, without style sheets', async () => {
  const bytes = mail(
    ...multipart(
      'related',
      'x',
      part('text/html', '<p>Fares</p>'),
      ['Content-Location: files/all.css', ...part('text/css', 'p { color: red }')],
      ['Content-Location: https://example.com/list.csv?a=1', ...part('text/csv', 'a,b')],
    ),
  )
  expect(await textOf(bytes)).toContain('Fares')
  expect((await unpacked(bytes)).members.map(({ name }) => name)).toEqual(['list.csv'])
})

it('the date is as its program wrote it, and receivers of a hidden copy are named', async () => {
  const text = await textOf(
    mail('Date: Fri, 15 Mar 2024 16:14:00 +0900 (JST)', 'Bcc: Eve <eve@example.com>', '', 'Hello'),
  )
  expect(text).toContain('Bcc: Eve <eve@example.com>\nDate: Fri, 15 Mar 2024 16:14:00 +0900')
})

describe('a character set', () => {
  it('is detected where none is declared', async () => {
    const text = await textOf(fixture('iso-2022-jp.eml'))
    expect(text).toContain('お見積もりの件 48000円')
    expect(text).not.toContain('\u001b')
    const german = 'Die Fähre fährt täglich außer sonntags um zwölf Uhr von Rügen ab.'
    expect(await textOf(mail('', german))).toContain(german)
  })

  test.each([
    ['a wrong one', 'charset=utf-8', 'Fähre für Gäste', 'latin1', true],
    ['an unknown one', 'charset=x-nonsense', 'Fähre für Gäste', 'utf8', true],
    ['UTF-8 under another name', 'charset=iso-8859-1', 'Fähre für Gäste', 'utf8', false],
    ['a name of Windows', 'charset=cp1252', 'Fähre für Gäste', 'latin1', false],
  ] as const)('%s is replaced by what fits', async (_, charset, text, encoding, isGuess) => {
    const bytes = Buffer.concat([mail(`Content-Type: text/plain; ${charset}`, '', ''), Buffer.from(text, encoding)])
    const [page] = await pages(bytes)
    expect(page!.text).toContain(text)
    expect(page!.notices?.map(({ code }) => code) ?? []).toEqual(isGuess ? ['uncertain'] : [])
  })

  it('is detected for headers too', async () => {
    const raw = Buffer.from('From: a@example.com\r\nSubject: F\xe4hre f\xfcr G\xe4ste\r\n\r\nHello\r\n', 'latin1')
    expect(await textOf(raw)).toContain('Subject: Fähre für Gäste')
  })
})

describe('a file', () => {
  const letter = 'From: a@example.com\r\nSubject: Tides\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGröße 42\r\n'

  test.each<[string, Uint8Array, MailKind]>([
    ['with a From line', Buffer.from(`From a@example.com Tue Mar  3 10:00:00 2026\r\n${letter}`), 'mbox'],
    ['in UTF-16', Buffer.from(`\uFEFF${letter}`, 'utf16le'), 'eml'],
    ['with a byte order mark', Buffer.from(`\uFEFF${letter}`), 'eml'],
    ['of Apple Mail', Buffer.from(`${Buffer.byteLength(letter)}\n${letter}<?xml version="1.0"?><plist/>`), 'eml'],
  ])('%s is a mail', async (_, bytes, kind) => {
    expect(sniffDocument(bytes, 'a.txt')).toBe(kind)
    const [page, ...others] = await pages(bytes, kind)
    expect(page!.text).toMatch(/^# Tides\n\nFrom: a@example.com\nSubject: Tides\n\nGröße 42$/)
    expect([page!.label, others]).toEqual([undefined, []])
  })

  it('of text that begins with fields is text', () => {
    expect(sniffDocument(Buffer.from('Subject: Tides\nDate: today\n\nHello'), 'a.txt')).toBe('text')
    expect(sniffDocument(Buffer.from('From here to there\nSubject: x\n\n'), 'a.txt')).toBe('text')
  })
})

it('an mbox has the mails one by one, and their files by the number of the mail', async () => {
  const one = mail('', 'First.', '>From the start.').toString()
  const attached = ['Content-Disposition: attachment; filename=plan.txt', ...part('text/plain', 'PLAN')]
  const two = mail(
    ...multipart('mixed', 'x', part('text/plain', 'Second.', '', 'From time to time.'), attached),
  ).toString()
  const line = 'From a@example.com Tue Mar  3 10:00:00 2026\r\n'
  const bytes = Buffer.from(`${line}${one}\r\n${line}${two}`)
  const read = await pages(bytes, 'mbox')
  expect(read.map(({ label }) => label)).toEqual(['Mail 1', 'Mail 2'])
  expect(read[0]!.text).toMatch(/First\.\s+From the start\.$/)
  expect(read[1]!.text).toMatch(/Second\.\s+From time to time\.$/)
  expect((await unpacked(bytes, 'mbox')).members).toMatchObject([{ name: 'Mail 2/plan.txt', text: 'PLAN\n' }])
})

describe('forwarded mails', () => {
  it('are files with the files that are attached to them', async () => {
    const { members } = await unpacked(fixture('forwarded.eml'))
    expect(members.map(({ name }) => name)).toEqual([
      'お見積もりの件.eml',
      'お見積もりの件.eml/invoice.txt',
      'winmail.dat',
    ])
    expect(members[1]!.text).toContain('INNER-INVOICE total 48000')
    expect(await textOf(readFileSync(members[0]!.path))).toContain('お見積もりの件 48000円')
  })

  it('are opened two levels deep; the files of a deeper one are named', async () => {
    const forward = (level: number): string[] => {
      const note = ['Content-Disposition: attachment; filename=note.txt', ...part('text/plain', `NOTE ${level}`)]
      const inner =
        level < 4
          ? [part('message/rfc822', `From: l${level + 1}@example.com`, `Subject: L${level + 1}`, ...forward(level + 1))]
          : []
      return multipart('mixed', `b${level}`, part('text/plain', `BODY ${level}`), note, ...inner)
    }
    const { members, skipped } = await unpacked(mail(...forward(0)))
    expect(members.map(({ name }) => name)).toEqual([
      'note.txt',
      'L1.eml',
      'L1.eml/note.txt',
      'L1.eml/L2.eml',
      'L1.eml/L2.eml/note.txt',
      'L1.eml/L2.eml/L3.eml',
    ])
    expect(skipped.map(({ name }) => name)).toEqual(['L1.eml/L2.eml/L3.eml/note.txt', 'L1.eml/L2.eml/L3.eml/L4.eml'])
  })
})

describe('a mail of Outlook', () => {
  const inner = { subject: 'Inner', body: 'INNER-BODY 48000', files: { 'deep.txt': Buffer.from('DEEP') } }
  const outer = msg({
    subject: 'Fähre',
    body: 'The tide turns.',
    files: { 'a.txt': Buffer.from('FILE'), Inner: inner },
  })

  it('is read with its files, and those of mails that are attached to it', async () => {
    const [page] = await pages(outer, 'msg')
    expect(page!.text).toMatch(/^# Fähre\n[^]*Attachments: a\.txt, Inner\.msg\n\nThe tide turns\.$/)
    const { members } = await unpacked(outer, 'msg')
    expect(members.map(({ name }) => name)).toEqual(['a.txt', 'Inner.msg', 'Inner.msg/deep.txt'])
    expect(members[2]!.text).toBe('DEEP')
    expect((await readMailFile(members[1]!.path, 'msg'))[0]!.text).toContain('INNER-BODY 48000')
  })

  it('has the form of its body with the most text', async () => {
    const both = msg({ subject: 'S', body: 'Noon', html: '<p>Noon, or <b>later</b></p>' })
    expect((await pages(both, 'msg'))[0]!.text).toContain('Noon, or **later**')
    const empty = msg({ subject: 'S', body: 'Noon', html: '<html><body></body></html>' })
    expect((await pages(empty, 'msg'))[0]!.text).toContain('Noon')
  })

  it('that is cut off is damaged', async () => {
    await expect(pages(outer.subarray(0, 1_500), 'msg')).rejects.toMatchObject({ reason: 'damaged' })
  })
})

describe('a mail in TNEF', () => {
  const bytes = tnef({
    subject: 'Fähre',
    html: '<p>The tide turns at <b>noon</b>.</p>',
    files: { 'Größe.txt': Buffer.from('FILE 42') },
  })

  it('is read with its files, by itself and attached to another one', async () => {
    expect(sniffDocument(bytes, 'winmail.dat')).toBe('tnef')
    expect((await pages(bytes, 'tnef'))[0]!.text).toBe(
      '# Fähre\n\nSubject: Fähre\nAttachments: Größe.txt\n\nThe tide turns at **noon**.',
    )
    const attached = [
      'Content-Type: application/ms-tnef; name=winmail.dat',
      'Content-Transfer-Encoding: base64',
      '',
      bytes.toString('base64'),
    ]
    const { members } = await unpacked(mail(...multipart('mixed', 'x', part('text/plain', 'See below.'), attached)))
    expect(members.map(({ name, text }) => [name, text.slice(0, 7)])).toEqual([
      ['winmail.dat', expect.anything()],
      ['winmail.dat/Größe.txt', 'FILE 42'],
    ])
  })

  it('that is cut off is damaged', async () => {
    await expect(pages(bytes.subarray(0, -30), 'tnef')).rejects.toMatchObject({ reason: 'damaged' })
  })
})

it('an mbox whose mails have few fields is one', () => {
  const one = 'From a@example.com Tue Mar  3 10:00:00 2026\nContent-Type: text/plain\n\nHello\n'
  expect(sniffDocument(Buffer.from(one), 'a.txt')).toBe('mbox')
})

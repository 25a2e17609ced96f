// Text with a structure of its own: notebooks, XML, subtitles, calendars, cards, source code.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blocksOf } from '../../media/document/blocks.ts'
import { readWhole, type WholeKind } from '../../media/document/readers/index.ts'
import { sniffDocument } from '../../media/kind/sniff-document.ts'
import { tempDir } from '../support/temp-dir.ts'

function read(text: string | Uint8Array, name = 'file') {
  const path = join(tempDir(), 'file')
  writeFileSync(path, text)
  return readWhole(path, sniffDocument(Buffer.from(text), name) as WholeKind, name)
}

test('a notebook keeps its text, code and outputs; pictures are named', async () => {
  const code = (source: string[], outputs: unknown[]) => ({ cell_type: 'code', source, outputs, metadata: {} })
  const notebook = {
    cells: [
      { cell_type: 'markdown', metadata: {}, source: ['# Fares\n', '\n', 'By year.'] },
      code(
        ['# a comment\n', 'print("```")'],
        [
          { output_type: 'stream', name: 'stdout', text: ['10%\r', '100%\n', 'done\n'] },
          { output_type: 'display_data', data: { 'image/png': 'iVBORw0KGgo=', 'text/plain': ['<Figure>'] } },
        ],
      ),
      code(
        [],
        [{ data: { 'text/html': '<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>' } }],
      ),
      code(
        ['1/0'],
        [{ output_type: 'error', ename: 'ZeroDivisionError', traceback: ['\u001b[31mTraceback\u001b[0m', 'by zero'] }],
      ),
    ],
    metadata: { kernelspec: { language: 'python' } },
    nbformat: 4,
  }
  const [page] = await read(JSON.stringify(notebook))
  expect(page!.text).toBe(
    [
      '# Fares\n\nBy year.',
      '````python\n# a comment\nprint("```")\n````',
      '```text\n100%\ndone\n```',
      '```text\n<Figure>\n```',
      '| a | b |\n| --- | --- |\n| 1 | 2 |',
      '```python\n1/0\n```',
      '```text\nTraceback\nby zero\n```',
    ].join('\n\n'),
  )
  expect(page!.notices).toEqual([
    { code: 'not_read', message: 'Pictures in notebooks are not read', count: 1, places: ['cell 2'] },
  ])
})

test('XML has headings, lists of values and tables of records', async () => {
  const xml = `<?xml version="1.0"?><!DOCTYPE order><order id="7" xmlns="urn:x"><customer><name>Ada &amp; Co</name><city>Sund</city></customer>
    <total currency="EUR">12.50</total><lines><line><item>Bolt</item><count>3</count></line><line><item>Nut</item><count>05</count></line></lines>
    <note><![CDATA[<p>Ring <b>twice</b></p>]]></note></order>`
  const [page] = await read(xml)
  expect(page!.text).toBe(
    [
      '# order',
      '- id: 7',
      '## Ada & Co\n\n- city: Sund',
      '- total (currency=EUR): 12.50',
      '## lines\n\n**line**\n\n| item | count |\n| --- | --- |\n| Bolt | 3 |\n| Nut | 05 |',
      '- note: Ring **twice**',
    ].join('\n\n'),
  )
})

test('XML of a text has its paragraphs, in the declared encoding', async () => {
  const xml =
    '<?xml version="1.0" encoding="ISO-8859-1"?><article><title>Fähre</title><para>Sie legt um <emphasis>7:40</emphasis> ab.</para></article>'
  const [page] = await read(Buffer.from(xml, 'latin1'))
  expect(page!.text).toBe('# Fähre\n\nSie legt um 7:40 ab.')
})

test.each([
  [
    'SubRip',
    '1\r\n00:00:01,000 --> 00:00:04,074\r\n{\\an8}<i>The ferry</i>\r\nleaves.\r\n\r\n2\r\n01:02:03,5 --> 01:02:04,5\r\nAt seven.\r\n',
  ],
  [
    'WebVTT',
    'WEBVTT\n\nSTYLE\n::cue {}\n\nNOTE no text\n\n00:01.000 --> 00:04.074 align:start\n<v Ada>The ferry\nleaves.\n\nx\n01:02:03.500 --> 01:02:04.500\nAt <c.loud>seven</c>.\n',
  ],
])('%s has a line for each cue, with its times', async (name, text) => {
  const speaker = name === 'WebVTT' ? 'Ada: ' : ''
  expect((await read(text))[0]!.text).toBe(
    `- 00:00:01–00:00:04: ${speaker}The ferry leaves.\n- 01:02:03–01:02:04: At seven.`,
  )
})

test('a calendar has an entry for each event', async () => {
  const text = [
    'BEGIN:VCALENDAR',
    'X-WR-CALNAME:Harbour',
    'BEGIN:VTIMEZONE',
    'TZID:Europe/Berlin',
    'END:VTIMEZONE',
    'BEGIN:VEVENT',
    'DTSTART;TZID=Europe/Berlin:20240301T093000',
    'DTEND:20240301T100000Z',
    'RRULE:FREQ=WEEKLY;BYDAY=MO,FR',
    'SUMMARY:Board meet',
    ' ing\\, all',
    'ORGANIZER;CN="Sund, Ada":mailto:ada@example.org',
    'ATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@example.org',
    'DESCRIPTION:Bring:\\n- oars',
    'BEGIN:VALARM',
    'DESCRIPTION:Reminder',
    'END:VALARM',
    'END:VEVENT',
    'END:VCALENDAR',
  ].join('\r\n')
  expect((await read(text))[0]!.text).toBe(
    '# Harbour\n\n## Board meeting, all\n\n- Start: 2024-03-01 09:30 (Europe/Berlin)\n- End: 2024-03-01 10:00 UTC\n' +
      '- Repeats: freq weekly; byday mo,fr\n- Organizer: Sund, Ada <ada@example.org>\n- Attendee: bo@example.org (accepted)\n\nBring:\n- oars',
  )
})

test('a card has its person, numbers and addresses; its picture is named', async () => {
  const text = [
    'BEGIN:VCARD',
    'VERSION:2.1',
    'N:Sund;Ada;;Dr.',
    'ORG:Ferries;Board',
    'item1.TEL;WORK;VOICE:+49 40 123',
    'EMAIL;TYPE=INTERNET,HOME:ada@example.org',
    'NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:F=C3=A4hrt =',
    'selten',
    'PHOTO;ENCODING=b;TYPE=JPEG:AAAA',
    'END:VCARD',
  ].join('\r\n')
  const [page] = await read(text)
  expect(page!.text).toBe(
    '## Dr. Ada Sund\n\n- Organization: Ferries, Board\n- Telephone (work): +49 40 123\n- E-mail (home): ada@example.org\n- Note: Fährt selten',
  )
  expect(page!.notices).toMatchObject([{ code: 'not_read', count: 1 }])
})

test('source code is fenced with its language, on each page', async () => {
  const [page] = await read('# not a heading\nx = 1\n', 'a.py')
  expect(page!.text).toBe('```python\n# not a heading\nx = 1\n```')
  expect(blocksOf(page!)).toMatchObject([{ type: 'code', language: 'python' }])
  const pages = await read('const a = 1\n'.repeat(5_000), 'long.ts')
  expect(pages.length).toBe(2)
  for (const { text } of pages) expect(text).toMatch(/^```typescript\nconst a = 1\n[^]*\n```$/)
})

test.each([
  ['notebook', '{"cells": [], "metadata": {}}', 'a.ipynb'],
  ['xml', '<?xml version="1.0"?><a/>', 'a'],
  ['xml', '<rss><channel/></rss>', 'feed.rss'],
  ['html', '<?xml version="1.0"?>\n<html><body/></html>', 'a.xml'],
  ['subtitles', '\ufeff1\n00:00:01,000 --> 00:00:02,000\nHello\n', 'a.txt'],
  ['calendar', 'BEGIN:VCALENDAR\r\nEND:VCALENDAR', 'a.txt'],
  ['contacts', 'BEGIN:VCARD\r\nEND:VCARD', 'a.txt'],
  ['code', '#!/usr/bin/env python3\nprint(1)', 'tool'],
  ['code', 'FROM node\n', 'Dockerfile'],
  ['text', 'The #!/bin/sh line is the first.', 'a.txt'],
  ['csv', 'sep=;\na;b\n', 'a.txt'],
  ['text', '2024-03-01 07:40:00 INFO started\n2024-03-01 07:40:01 WARN late\n', 'app.log'],
])('%s is told by content, else by name (case %#)', (kind, text, name) => {
  expect(sniffDocument(Buffer.from(text), name)).toBe(kind)
})

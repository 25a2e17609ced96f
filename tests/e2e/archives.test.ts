// Archives of documents, and mails with attachments: each file within a part with its own pages, found and cited by its name; what
// cannot be read is told of.
import { readFileSync } from 'node:fs'
import { zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as documents from '../support/documents.ts'
import { photograph } from '../support/media.ts'
import { scan, scannedPdf } from '../support/scan.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { workbook } from '../support/workbook.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
})
afterAll(async () => {
  await stage.check()
  await stage.close()
})

const ingest = (files: Record<string, Uint8Array>) => ingestFile('harbour.zip', zipSync(files))

async function ingestFile(name: string, bytes: Uint8Array) {
  const file_id = await stage.upload(muxi.url, name, bytes)
  const begun = await stage.call(muxi.url, '/api/v1/jobs', { body: { kind: 'document', file_id, agent_id: 'offline' } })
  const end = await (await stage.followJob(muxi.url, begun.body.id)).untilFinal(200_000)
  return { id: begun.body.id as string, end }
}

it(keeps('documents.archives', 'documents, scans and pictures are read; the rest is named'), async () => {
  const unstored = workbook([
    {
      name: 'Costs',
      rows: [
        ['Berth', 'Fee'],
        ['East', { formula: 'A1*2' }],
      ],
    },
  ])
  const { id, end } = await ingest({
    'papers/handbook.docx': new Uint8Array(await documents.docx()),
    'papers/fares.csv': new Uint8Array(documents.csv()),
    'scan.pdf': new Uint8Array(
      await scannedPdf([
        await scan(['The keeper of the lighthouse is called Agneta Holm.']),
        { heading: 'Tides', sentences: ['The tide turns at noon.'] },
      ]),
    ),
    'sign.jpg': new Uint8Array(await photograph('BEWARE OF GEESE')),
    'inner.zip': zipSync({
      'sums.xlsx': new Uint8Array(unstored),
      'in.zip': zipSync({ 'deep.zip': zipSync({ 'x.txt': Buffer.from('x') }) }),
    }),
    'noise.bin': new Uint8Array(2_000).map((_, index) => (index * 7_919) % 251),
    '__MACOSX/._scan.pdf': new Uint8Array([1, 2, 3]),
  })
  expect(end.type, JSON.stringify(end.data)).toBe('completed')
  expect(end.data.result.skipped).toEqual([
    { name: 'inner.zip/in.zip/deep.zip', reason: expect.stringContaining('two levels deep') },
    { name: 'noise.bin', reason: expect.any(String) },
  ])
  expect(end.data.result.notices).toEqual([
    expect.objectContaining({ code: 'left_out', count: 1, places: ['inner.zip/in.zip/deep.zip'] }),
    expect.objectContaining({ code: 'left_out', count: 1, places: ['noise.bin'] }),
    expect.objectContaining({ count: 1, places: ['inner.zip/sums.xlsx, Sheet Costs, B2'] }),
  ])
  const { pages } = (await stage.call(muxi.url, `/api/v1/jobs/${id}/text?format=json`)).body
  expect(pages.map(({ page, label }: Record<string, unknown>) => [page, label])).toEqual([
    [1, 'papers/handbook.docx'],
    [2, 'papers/handbook.docx'],
    [3, 'papers/fares.csv'],
    [4, 'scan.pdf'],
    [5, 'scan.pdf'],
    [6, 'sign.jpg'],
    [7, 'inner.zip/sums.xlsx, Sheet Costs'],
  ])
  expect(pages[3].text).toContain('Agneta Holm')
  expect(pages[3].ocr.confidence).toBeGreaterThan(80)
  expect(pages[4].text).toContain('The tide turns at noon.')
  expect(pages[5].text).toContain('BEWARE OF GEESE')
  const query = encodeURIComponent('What is the keeper of the lighthouse called?')
  const [found] = (await stage.call(muxi.url, `/api/v1/agents/offline/knowledge/search?query=${query}`)).body.results
  expect(found).toMatchObject({ page: 4, heading: expect.stringMatching(/^scan\.pdf/) })
})

it(
  keeps('documents.archives', 'one whose names lead outside, or that holds nothing readable, is refused'),
  async () => {
    const [outside, nothing, bomb] = await Promise.all([
      ingest({ '../../outside.txt': Buffer.from('Out.') }),
      ingest({ 'a.bin': Buffer.from([0, 1, 2, 3]) }),
      ingest({ 'zeros.txt': new Uint8Array(200 * 2 ** 20) }),
    ])
    expect(outside.end).toMatchObject({
      type: 'failed',
      data: { code: 'unprocessable', details: { reason: 'unsafe' } },
    })
    expect(nothing.end).toMatchObject({ type: 'failed', data: { details: { reason: 'not_a_document' } } })
    expect(bomb.end).toMatchObject({ type: 'failed', data: { details: { reason: 'unsafe' } } })
  },
)

it(
  keeps(
    'documents.mails',
    'the body, a table, a scan and a mail are read; pictures of the body are not, and the rest is named',
  ),
  async () => {
    const pdf = await scannedPdf([
      await scan(['The dredger is called Old Matilda.']),
      { heading: 'Depths', sentences: ['The fairway is nine metres deep.'] },
    ])
    const mail = documents.mail(
      { subject: 'The harbour', html: '<p>The fairway is dredged in <b>May</b>.</p><img src="cid:logo">' },
      [
        { name: 'dredging.pdf', type: 'application/pdf', bytes: pdf, disposition: 'inline' },
        { name: 'fares.csv', type: 'text/csv', bytes: documents.csv() },
        { name: 'fares.csv', type: 'application/octet-stream', bytes: Buffer.from('Berth,Fee\nEast,9\nWest,8\n') },
        { name: 'inner.zip', type: 'application/zip', bytes: zipSync({ 'tides.txt': Buffer.from('Ebb at noon.') }) },
        { name: 'letter.eml', type: 'message/rfc822', bytes: documents.eml() },
        { name: 'logo.png', type: 'image/png', bytes: await photograph('LOGO'), cid: 'logo' },
      ],
    )
    const { id, end } = await ingestFile('harbour.eml', mail)
    expect(end.type, JSON.stringify(end.data)).toBe('completed')
    expect(end.data.result.skipped).toBeUndefined()
    const { pages } = (await stage.call(muxi.url, `/api/v1/jobs/${id}/text?format=json`)).body
    expect(pages.map(({ page, label }: Record<string, unknown>) => [page, label])).toEqual([
      [1, undefined],
      [2, 'dredging.pdf'],
      [3, 'dredging.pdf'],
      [4, 'fares.csv'],
      [5, 'fares (2).csv'],
      [6, 'inner.zip/tides.txt'],
      [7, 'letter.eml'],
      [8, 'letter.eml/oars.txt'],
    ])
    expect(pages[0].text).toContain('dredged in **May**')
    expect(pages[0].text).toMatch(
      /^Attachments: dredging\.pdf, fares\.csv, fares \(2\)\.csv, inner\.zip, letter\.eml$/m,
    )
    expect(pages[1].text).toContain('Old Matilda')
    expect(pages[1].ocr.confidence).toBeGreaterThan(80)
    expect(pages[4].text).toMatch(/^\| East \| 9 \|$/m)
    expect(pages[5].text).toContain('Ebb at noon.')
    expect(pages[6].text).toContain('The Ferry Handbook')
    const job = (await stage.call(muxi.url, `/api/v1/jobs/${id}`)).body
    expect(job.metadata.members.slice(0, 2)).toEqual([
      { name: 'harbour.eml', from_page: 1, pages: 1 },
      { name: 'dredging.pdf', from_page: 2, pages: 2 },
    ])
    const query = encodeURIComponent('What is the dredger called?')
    const [found] = (await stage.call(muxi.url, `/api/v1/agents/offline/knowledge/search?query=${query}`)).body.results
    expect(found).toMatchObject({ page: 2, heading: expect.stringMatching(/^dredging\.pdf/) })
  },
)

it(
  keeps(
    'documents.mails',
    'one with more files than are allowed is refused; a mail in an archive, or forwarded, has its files',
  ),
  async () => {
    const attached = Array.from({ length: 201 }, (_, index) => ({
      name: `${index}.txt`,
      type: 'text/plain',
      bytes: Buffer.from(`Note ${index}.`),
    }))
    const many = await ingestFile('notes.eml', documents.mail({ subject: 'Notes', html: '<p>All.</p>' }, attached))
    expect(many.end).toMatchObject({
      type: 'failed',
      data: { code: 'unprocessable', details: { reason: 'too_large' } },
    })
    const { id, end } = await ingest({ 'post/letter.eml': documents.eml() })
    expect(end.type, JSON.stringify(end.data)).toBe('completed')
    const { pages } = (await stage.call(muxi.url, `/api/v1/jobs/${id}/text?format=json`)).body
    expect(pages).toMatchObject([
      { label: 'post/letter.eml', text: expect.stringContaining('Attachments: oars.txt') },
      { label: 'post/letter.eml/oars.txt' },
    ])
    const forwarded = await ingestFile('forwarded.eml', readFileSync('tests/fixtures/mails/forwarded.eml'))
    expect(forwarded.end.data.result).toMatchObject({
      pages: 3,
      skipped: [{ name: 'winmail.dat', reason: expect.stringContaining('damaged') }],
      notices: [{ code: 'unreadable', places: ['winmail.dat'] }],
    })
  },
)

// Archives of documents: each member a part with its own pages, found and cited by its name; what cannot be read is told of.
import { zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as documents from '../support/documents.ts'
import { photograph } from '../support/media.ts'
import { scan, scannedPdf } from '../support/scan.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
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

async function ingest(files: Record<string, Uint8Array>) {
  const file_id = await stage.upload(muxi.url, 'harbour.zip', zipSync(files))
  const begun = await stage.call(muxi.url, '/api/v1/jobs', { body: { kind: 'document', file_id, agent_id: 'offline' } })
  const end = await (await stage.followJob(muxi.url, begun.body.id)).untilFinal(100_000)
  return { id: begun.body.id as string, end }
}

it(keeps('documents.archives', 'documents, scans and pictures are read; the rest is named'), async () => {
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
    'inner.zip': zipSync({ 'secret.txt': Buffer.from('Not read.') }),
    'noise.bin': new Uint8Array(2_000).map((_, index) => (index * 7_919) % 251),
    '__MACOSX/._scan.pdf': new Uint8Array([1, 2, 3]),
  })
  expect(end.type, JSON.stringify(end.data)).toBe('completed')
  expect(end.data.result.skipped).toEqual([
    { name: 'inner.zip', reason: expect.stringContaining('archive within an archive') },
    { name: 'noise.bin', reason: expect.any(String) },
  ])
  const { pages } = (await stage.call(muxi.url, `/api/v1/jobs/${id}/text?format=json`)).body
  expect(pages.map(({ page, label }: Record<string, unknown>) => [page, label])).toEqual([
    [1, 'papers/handbook.docx'],
    [2, 'papers/handbook.docx'],
    [3, 'papers/fares.csv'],
    [4, 'scan.pdf'],
    [5, 'scan.pdf'],
    [6, 'sign.jpg'],
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
    const outside = await ingest({ '../../outside.txt': Buffer.from('Out.') })
    expect(outside.end).toMatchObject({
      type: 'failed',
      data: { code: 'unprocessable', details: { reason: 'unsafe' } },
    })
    const nothing = await ingest({ 'inner.zip': zipSync({ 'a.txt': Buffer.from('a') }) })
    expect(nothing.end).toMatchObject({ type: 'failed', data: { details: { reason: 'empty' } } })
    const bomb = await ingest({ 'zeros.txt': new Uint8Array(200 * 2 ** 20) })
    expect(bomb.end).toMatchObject({ type: 'failed', data: { details: { reason: 'unsafe' } } })
  },
)

// Pictures of text: pages of a document and pictures of their own, read, cited, and read once whatever is killed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { holdAfter } from '../support/held-rows.ts'
import { LONG } from '../support/long.ts'
import { mixedPdf } from '../support/mixed-pages.ts'
import { photograph } from '../support/media.ts'
import { presentation } from '../support/presentation.ts'
import { scan, scannedPdf } from '../support/scan.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const PAGES = LONG ? 40 : 20

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  stage = await openStage()
  api = await stage.start('api')
  worker = await stage.start('worker')
})
afterAll(async () => {
  await stage.check()
  await stage.close()
})

async function ingest(kind: string, name: string, bytes: Buffer, fields: object = {}): Promise<string> {
  const file_id = await stage.upload(api.url, name, bytes)
  const { status, body } = await stage.call(api.url, '/api/v1/jobs', { body: { kind, file_id, ...fields } })
  expect(status, JSON.stringify(body)).toBe(202)
  return body.id
}
const job = async (id: string) => (await stage.call(api.url, `/api/v1/jobs/${id}`)).body
const pages = async (id: string) => (await stage.call(api.url, `/api/v1/jobs/${id}/text?format=json`)).body.pages
async function finished(id: string) {
  await (await stage.followJob(api.url, id)).untilFinal(100_000)
  return job(id)
}

it(keeps('documents.ocr', 'a question is answered from a scanned page, with its name and page'), async () => {
  const scanned = [
    await scan(['The ferry to Sund leaves at 7:40 from pier nine.'], { dpi: 100 }),
    await scan(['The lighthouse keeper of Sund is called Agneta Holm.'], { dpi: 150, turned: 180 }),
  ]
  const id = await ingest('document', 'harbour.pdf', await scannedPdf(scanned), { agent_id: 'offline' })
  expect((await finished(id)).result).toMatchObject({ pages: 2, chunks: 2 })
  const [, turned] = await pages(id)
  expect(turned).toMatchObject({ page: 2, scanned: true, text: 'The lighthouse keeper of Sund is called Agneta Holm.' })
  expect(turned.ocr).toMatchObject({ turned: 180, paragraphs: [{ box: expect.any(Array) }] })
  expect(turned.ocr.confidence).toBeGreaterThan(80)
  const content = 'What is the lighthouse keeper of Sund called?'
  const conversation_id = await stage.conversation(api.url, { agent_id: 'offline' })
  const reply = await stage.call(api.url, '/api/v1/agents/offline/chat', { body: { content, conversation_id } })
  expect(reply.body.agent_response.content).toContain('Agneta Holm')
  expect(reply.body.agent_response.content).toContain('(harbour.pdf, page 2)')

  const unread = await ingest('document', 'harbour.pdf', await scannedPdf(scanned), { options: { ocr: 'never' } })
  expect((await finished(unread)).result.notices[0].message).toContain("options.ocr 'auto'")
  const russian = await ingest('document', 'harbour.pdf', await scannedPdf(scanned), {
    options: { languages: ['rus'] },
  })
  expect((await finished(russian)).error).toMatchObject({
    code: 'unprocessable',
    message: expect.stringContaining("'languages' must be of deu, eng, fra, spa, got 'rus'"),
  })
})

it(
  keeps(
    'documents.ocr_pages',
    'every page of a fax is read, as a document and as a picture, and what was not read is told',
  ),
  async () => {
    const fax = readFileSync(join(import.meta.dirname, '../fixtures/cases/fax.tif'))
    const found = /PAGE-(ONE|TWO|THREE)-FAX|(?<=number )\d/g
    for (const kind of ['document', 'image']) {
      const id = await ingest(kind, 'fax.tif', fax)
      expect((await finished(id)).result).toMatchObject({ pages: 3 })
      const texts = (await pages(id)).map(({ page, text }: { page: number; text: string }) => [page, text.match(found)])
      expect(texts).toEqual([
        [1, ['PAGE-ONE-FAX', '1']],
        [2, ['PAGE-TWO-FAX', '2']],
        [3, ['PAGE-THREE-FAX', '3']],
      ])
    }
    const stamped = [await scan(['The lamp of Sund burns whale oil.'], { dpi: 100 }), { sentences: ['Typed words.'] }]
    const unread = await ingest('document', 'mixed.pdf', await scannedPdf(stamped), { options: { ocr: 'never' } })
    const message = expect.stringContaining("options.ocr 'auto'")
    expect((await finished(unread)).result.notices).toEqual([
      { code: 'not_read', message, count: 1, places: ['page 1'], text: expect.stringMatching(/ \(page 1\)$/) },
    ])
  },
)

it(
  keeps('documents.ocr_within', 'pictures on slides are read once each, also in an archive, and counted otherwise'),
  async () => {
    const picture = (id: string) => `<p:pic><p:blipFill><a:blip r:embed="${id}"/></p:blipFill></p:pic>`
    const image = (target: string): [string, string] => ['image', target]
    const deck = presentation(
      [
        { shapes: picture('one'), relations: { one: image('media/lamp.jpg') } },
        {
          shapes: `<p:sp><p:txBody><a:p><a:r><a:t>The lamp of Sund</a:t></a:r></a:p></p:txBody></p:sp>${picture('one')}${picture('two')}`,
          relations: { one: image('media/lamp.jpg'), two: image('media/drawing.emf') },
        },
      ],
      {
        'media/lamp.jpg': { content: await scan(['The lamp of Sund burns 12 litres of whale oil.'], { dpi: 100 }) },
        'media/drawing.emf': { content: 'no picture of dots' },
      },
    )
    const id = await ingest('document', 'lamp.pptx', deck)
    const notice = { code: 'not_read', message: 'Text in pictures is not read', count: 1, places: ['Slide 2'] }
    expect((await finished(id)).result.notices).toMatchObject([notice])
    const text = 'The lamp of Sund burns 12 litres of whale oil.'
    expect(await pages(id)).toMatchObject([{ text }, { text: 'The lamp of Sund' }])
    const zipped = await ingest('document', 'lamps.zip', Buffer.from(zipSync({ 'a/lamp.pptx': deck })))
    expect((await finished(zipped)).status).toBe('completed')
    expect((await pages(zipped))[0]).toMatchObject({ text, label: 'a/lamp.pptx, Slide 1' })
    const unread = await ingest('document', 'lamp.pptx', deck, { options: { ocr: 'never' } })
    expect((await finished(unread)).result.notices).toContainEqual(
      expect.objectContaining({ ...notice, count: 3, places: ['Slide 1', 'Slide 2'] }),
    )
  },
)

it(keeps('images.ocr', 'the text in a picture is read and found'), async () => {
  const id = await ingest('image', 'sign.jpg', await photograph('BEWARE OF GEESE'), { agent_id: 'offline' })
  expect((await finished(id)).status).toBe('completed')
  expect((await pages(id))[0]).toMatchObject({ text: expect.stringContaining('BEWARE OF GEESE') })
  const query = encodeURIComponent('beware of geese')
  const found = await stage.call(api.url, `/api/v1/agents/offline/knowledge/search?query=${query}`)
  expect(found.body.results[0].content).toContain('GEESE')
})

it(
  keeps(
    'documents.ocr_killed',
    `kill -9 in ${PAGES} pages of scans and text: what was read is not read again, the text is the same`,
  ),
  async () => {
    const bytes = await mixedPdf(PAGES, 4)
    // Of the scans, on each fourth page.
    const held = PAGES / 10
    const letGo = await holdAfter(stage, 'scans', held * 4)
    const id = await ingest('document', 'mixed.pdf', bytes)
    const read = () => stage.rows('select page, attempts, read from ocr_pages where job_id = ? order by page', id)
    const finishedPages = async () => (await read()).filter((row) => row['read'] !== null)
    await expect.poll(async () => (await finishedPages()).length, { timeout: 60_000 }).toBe(held)
    const stream = await stage.followJob(api.url, id)
    await worker.kill()
    const before = await finishedPages()
    expect(before).toHaveLength(held)
    await letGo()
    worker = await stage.start('worker')
    expect((await stream.untilFinal(100_000)).type).toBe('completed')
    const after = await read()
    expect(after).toHaveLength(PAGES / 4)
    expect(after).toEqual(expect.arrayContaining(before))

    const undisturbed = await ingest('document', 'mixed.pdf', bytes, { options: { languages: ['eng'] } })
    await finished(undisturbed)
    const text = await pages(id)
    expect(text).toEqual(await pages(undisturbed))
    for (const page of [PAGES, PAGES - 1])
      expect(text[page - 1]).toMatchObject({
        page,
        text: expect.stringContaining(`lighthouse ${page} counts ${page * 7} ships`),
      })
  },
  // Reads half as many pages with OCR, half of them with a kill in between: more than two minutes on a busy machine.
  300_000,
)

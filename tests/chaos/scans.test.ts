// A long document of scans and text, whose worker is killed at every quarter.
import { expect, it, onTestFinished } from 'vitest'
import { mixedPdf } from '../support/mixed-pages.ts'
import type { Row } from '../support/rows.ts'
import { openStage } from '../support/stage.ts'

const PAGES = 500
const SCANNED = PAGES / 2

it(`${PAGES} pages of scans and text, killed at 25, 50 and 75 %: every page that was read is read once`, async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const api = await stage.start('api')
  let worker = await stage.start('worker')
  const file_id = await stage.upload(api.url, 'mixed.pdf', await mixedPdf(PAGES, 2))
  const begin = async (options: object): Promise<string> =>
    (await stage.call(api.url, '/api/v1/jobs', { body: { kind: 'document', file_id, options } })).body.id
  const text = async (id: string) => (await stage.call(api.url, `/api/v1/jobs/${id}/text?format=json`)).body.pages

  const id = await begin({})
  const stream = await stage.followJob(api.url, id)
  const rows = () => stage.rows('select page, attempts, read from ocr_pages where job_id = ?', id)
  /** With the attempts that a page had taken when it was first seen read: one that a kill interrupted takes another. */
  const done = new Map<Row[string], Row[string]>()
  for (const share of [0.25, 0.5, 0.75]) {
    await stream.waitFor(({ data }) => data.stage === 'parsing' && data.done >= share * PAGES, 900_000)
    await worker.kill()
    for (const { page = null, attempts = null, read } of await rows())
      if (read !== null && !done.has(page)) done.set(page, attempts)
    worker = await stage.start('worker')
  }
  expect((await stream.untilFinal(900_000)).type).toBe('completed')
  const after = await rows()
  expect(after).toHaveLength(SCANNED)
  const attemptsOf = new Map(after.map(({ page, attempts }) => [page, attempts]))
  for (const [page, attempts] of done) expect([page, attemptsOf.get(page)]).toEqual([page, attempts])
  console.log(`${done.size} pages were read before the last kill, ${after.length} in all`)

  const undisturbed = await begin({ languages: ['eng'] })
  await (await stage.followJob(api.url, undisturbed)).untilFinal(900_000)
  expect(await text(id)).toEqual(await text(undisturbed))
  await stage.check()
})

// Documents: uploaded, ingested, searched, quoted; stopped, tried again, killed in the middle, and refused for what they are.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownerFolder } from '../../db/blob-key.ts'
import { freePort } from '../support/free-port.ts'
import { holdAfter } from '../support/held-rows.ts'
import { isLeftOutOnDeno } from '../support/long.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

if (isLeftOutOnDeno)
  console.log('documents.killed of documents.test.ts is skipped on Deno: it would take half a minute')

const GUIDE = '# Guide\n\nThe ferry to Sund leaves at 7:40 from pier nine.\n'

let stage: Stage

/** Begins a job. @returns its id */
async function ingest(url: string, file_id: string, fields: object = { agent_id: 'offline' }): Promise<string> {
  const { status, body } = await stage.call(url, '/api/v1/jobs', { body: { kind: 'document', file_id, ...fields } })
  expect(status, JSON.stringify(body)).toBe(202)
  return body.id
}

const job = async (url: string, id: string) => (await stage.call(url, `/api/v1/jobs/${id}`)).body
const parses = (jobId: string) =>
  stage.rows(
    'select batch, parses, case when pages is null then 0 else 1 end as parsed from job_batches where job_id = ? order by batch',
    jobId,
  )
const search = async (url: string, query: string, agent = 'offline') =>
  (await stage.call(url, `/api/v1/agents/${agent}/knowledge/search?query=${encodeURIComponent(query)}`)).body.results
const ask = async (url: string, content: string, more: object = {}) =>
  (
    await stage.call(url, '/api/v1/agents/offline/chat', {
      body: { content, conversation_id: await stage.conversation(url, { agent_id: 'offline' }), ...more },
    })
  ).body

describe('one process', () => {
  let muxi: Muxi
  beforeAll(async () => {
    stage = await openStage({
      agents: {
        ferry: {
          description: 'Knows the ferry.',
          system_message: 'You know the ferry.',
          model: { provider: 'offline', model: 'offline' },
          knowledge: [{ id: 'guide', description: 'The guide', path: 'guide.md' }],
        },
      },
    })
    writeFileSync(join(stage.agentsDir, 'guide.md'), GUIDE)
    muxi = await stage.start('all')
  })
  afterAll(async () => {
    await stage.check()
    await stage.close()
  })

  it(
    keeps('documents.answer', 'a PDF of 120 pages answers a question from one page, and the log tells how'),
    async () => {
      const file = await stage.upload(muxi.url, 'lighthouses.pdf', pdf(numberedPages(120)))
      const jobId = await ingest(muxi.url, file)
      const stream = await stage.followJob(muxi.url, jobId)
      expect((await stream.untilFinal()).data.result).toMatchObject({ pages: 120 })
      expect(stream.events.map(({ id }) => id)).toEqual(stream.events.map((_, index) => index + 1))
      expect((await job(muxi.url, jobId)).progress).toMatchObject({ done: 120, total: 120, unit: 'pages' })
      const replay = await stage.followJob(muxi.url, jobId, 2)
      await replay.ended
      expect(replay.events).toMatchObject(stream.events.slice(2).map(({ id, type }) => ({ id, type })))

      const [found] = await search(muxi.url, 'keeper of lighthouse 77')
      expect(found).toMatchObject({ page: 77 })
      const reply = await ask(muxi.url, 'How many ships does the keeper of lighthouse 77 count?')
      expect(reply.agent_response.content).toContain('539 ships')
      expect(reply.agent_response.content).toContain('(lighthouses.pdf, page 77)')
      const { entries } = (await stage.call(muxi.url, `/api/v1/turns/${reply.turn_id}/log`)).body
      expect(entries.map(({ kind, status }: Record<string, string>) => [kind, status])).toEqual([
        ['recall', 'completed'],
        ['model_call', 'completed'],
      ])
      const text = await stage.call(muxi.url, `/api/v1/jobs/${jobId}/text?format=json`)
      expect(text.body.pages.map(({ page }: { page: number }) => page)).toEqual(
        Array.from({ length: 120 }, (_, index) => index + 1),
      )
    },
  )

  it(
    keeps('documents.text', 'Markdown as it is, plain text without marks, and blocks that say where they stand'),
    async () => {
      const markdown = '# Boats\n\nOne is **red**.\n\n- oars\n- sails\n\n| Boat | Fee |\n|---|---|\n| Gull | 3 |\n'
      const jobId = await ingest(muxi.url, await stage.upload(muxi.url, 'boats.md', markdown))
      await (await stage.followJob(muxi.url, jobId)).untilFinal()
      const read = (format: string) => stage.call(muxi.url, `/api/v1/jobs/${jobId}/text?format=${format}`)
      expect((await read('md')).text).toBe(markdown)
      expect((await read('txt')).text).toBe('Boats\n\nOne is red.\n\n- oars\n- sails\n\nBoat\tFee\nGull\t3\n')
      const [page] = (await read('json')).body.pages
      expect(page).toMatchObject({
        page: 1,
        text: markdown,
        blocks: [
          { type: 'heading', level: 1, text: 'Boats', position: { page: 1, offset: 0, length: 7 } },
          { type: 'paragraph', text: 'One is red.', position: { page: 1, offset: 9, length: 15 } },
          { type: 'list', items: [{ text: 'oars' }, { text: 'sails' }] },
          {
            type: 'table',
            header: true,
            rows: [
              ['Boat', 'Fee'],
              ['Gull', '3'],
            ],
          },
        ],
      })
      expect((await read('html')).status).toBe(400)
    },
  )

  it(
    keeps('documents.attached', 'what is attached is read inside the turn, and known in that conversation only'),
    async () => {
      const conversation_id = await stage.conversation(muxi.url, { agent_id: 'offline' })
      const data = Buffer.from('The password of the boat house is Heron.').toString('base64')
      const attachments = [{ type: 'text/plain', name: 'boats.txt', data }]
      const reply = await ask(muxi.url, 'What is the password of the boat house?', { conversation_id, attachments })
      expect(reply.agent_response.content).toContain('Heron')
      expect(reply.agent_response.content).toContain('(boats.txt, page 1)')
      const { entries } = (await stage.call(muxi.url, `/api/v1/turns/${reply.turn_id}/log`)).body
      expect(entries.map(({ kind }: { kind: string }) => kind)).toContain('ingestion')
      expect(
        (await ask(muxi.url, 'And the boat house password again?', { conversation_id })).agent_response.content,
      ).toContain('Heron')
      expect((await ask(muxi.url, 'What is the password of the boat house?')).agent_response.content).not.toContain(
        'Heron',
      )
      expect(JSON.stringify(await search(muxi.url, 'password boat house'))).not.toContain('Heron')

      const file_id = await stage.upload(muxi.url, 'oars.md', 'There are twelve oars in the shed.')
      const more = await ask(muxi.url, 'How many oars are there?', {
        attachments: [{ type: 'text/markdown', name: 'oars.md', file_id }],
      })
      expect(more.agent_response.content).toContain('twelve')
    },
  )

  it(
    keeps(
      'documents.retry',
      'a cancelled job leaves nothing to find, and goes on with what was parsed when tried again',
    ),
    async () => {
      const file = await stage.upload(
        muxi.url,
        'long.pdf',
        pdf(numberedPages(1_200).map((page) => ({ ...page, heading: `Volume ${page.heading}` }))),
      )
      const letGo = await holdAfter(stage, 'batches', 4)
      const jobId = await ingest(muxi.url, file, { agent_id: 'scripted' })
      const stream = await stage.followJob(muxi.url, jobId)
      await stream.waitFor(({ data }) => data.stage === 'parsing' && data.done === 200)
      const cancelled = await stage.call(muxi.url, `/api/v1/jobs/${jobId}/cancel`, { method: 'POST' })
      expect(cancelled.body.status).toBe('cancelled')
      expect((await stream.untilFinal()).type).toBe('cancelled')
      expect(await search(muxi.url, 'lighthouse', 'scripted')).toEqual([])
      expect((await stage.call(muxi.url, `/api/v1/jobs/${jobId}/cancel`, { method: 'POST' })).status).toBe(409)
      const before = (await parses(jobId)).filter(({ parsed }) => parsed === 1)
      expect(before).toHaveLength(4)
      const text = await stage.call(muxi.url, `/api/v1/jobs/${jobId}/text`)
      expect(text.body.error).toMatchObject({ code: 'conflict', details: { status: 'cancelled' } })
      await letGo()

      expect((await stage.call(muxi.url, `/api/v1/jobs/${jobId}/retry`, { method: 'POST' })).status).toBe(202)
      const again = await stage.followJob(muxi.url, jobId, stream.lastId)
      expect((await again.untilFinal(200_000)).data.result).toMatchObject({ pages: 1_200 })
      expect(again.events[0]?.id).toBe(stream.lastId + 1)
      const after = await parses(jobId)
      expect(before.map(({ batch }) => after.find((each) => each['batch'] === batch)?.['parses'])).toEqual(
        before.map(({ parses: times }) => times),
      )
      const replay = await stage.followJob(muxi.url, jobId)
      await replay.ended
      expect(replay.events.filter(({ type }) => type !== 'progress').map(({ type }) => type)).toEqual(['completed'])
      expect((await stage.call(muxi.url, `/api/v1/jobs/${jobId}/retry`, { method: 'POST' })).status).toBe(409)
    },
  )

  it(
    keeps('documents.retry', 'a job whose file is deleted is not tried again, and ends when only the bytes are'),
    async () => {
      const failed = async (id: string) => {
        await (await stage.followJob(muxi.url, id)).untilFinal()
        return (await job(muxi.url, id)).error
      }
      const retry = (id: string) => stage.call(muxi.url, `/api/v1/jobs/${id}/retry`, { method: 'POST' })
      const file = await stage.upload(muxi.url, 'half.pdf', pdf(numberedPages(3)).subarray(0, 500))
      const jobId = await ingest(muxi.url, file)
      expect((await failed(jobId)).code).toBe('unprocessable')
      expect((await stage.call(muxi.url, `/api/v1/files/${file}`, { method: 'DELETE' })).status).toBe(200)
      const refused = await retry(jobId)
      expect(refused.body.error).toMatchObject({
        code: 'conflict',
        message: `Cannot retry job '${jobId}': its file is deleted`,
      })
      expect((await job(muxi.url, jobId)).status).toBe('failed')

      const other = await stage.upload(muxi.url, 'other.txt', 'Other bytes, which are lost.')
      const { sha256 } = (await stage.call(muxi.url, `/api/v1/files/${other}`)).body
      rmSync(join(stage.dataDir, 'blobs', ownerFolder('default'), sha256))
      expect(await failed(await ingest(muxi.url, other))).toMatchObject({ details: { reason: 'file_deleted' } })
    },
  )

  it(
    keeps('documents.refused', 'damaged, encrypted, empty and foreign files are unprocessable, and the process lives'),
    async () => {
      const whole = pdf(numberedPages(3))
      const bad = {
        damaged: whole.subarray(0, whole.length / 2),
        encrypted: pdf(numberedPages(3), { encrypt: true }),
        empty: '',
        not_a_document: Buffer.from([0, 1, 2, 3, 255, 254]),
      }
      for (const [reason, bytes] of Object.entries(bad)) {
        const jobId = await ingest(muxi.url, await stage.upload(muxi.url, `${reason}.pdf`, bytes))
        await (await stage.followJob(muxi.url, jobId)).untilFinal()
        expect((await job(muxi.url, jobId)).error, reason).toMatchObject({ code: 'unprocessable', details: { reason } })
      }
      const data = Buffer.from(bad.damaged).toString('base64')
      const reply = await ask(muxi.url, 'What is in it?', {
        attachments: [{ type: 'application/pdf', name: 'half.pdf', data }],
      })
      expect(reply.status).toBe('completed')
      const foreign = {
        type: 'application/zip',
        name: 'a.zip',
        data: Buffer.from([80, 75, 3, 4, 0, 0, 0, 255]).toString('base64'),
      }
      const refused = await stage.call(muxi.url, '/api/v1/agents/offline/chat', {
        body: { content: '', attachments: [foreign] },
      })
      expect(refused.status).toBe(415)
    },
  )

  it(
    keeps('documents.fair', "a user's first document is read before most of another's thirty that came earlier"),
    async () => {
      const keyOf = async (user_id: string): Promise<string> =>
        (await stage.call(muxi.url, '/api/v1/keys', { body: { name: user_id, scopes: ['chat'], user_id } })).body.key
      const [many, few] = [await keyOf('many'), await keyOf('few')]
      const book = pdf(numberedPages(150))
      const upload = (key: string) => stage.upload(muxi.url, 'book.pdf', book, key)
      const begin = async (key: string, file_id: string): Promise<string> =>
        (await stage.call(muxi.url, '/api/v1/jobs', { key, body: { kind: 'document', file_id } })).body.id
      const files = await Promise.all(Array.from({ length: 30 }, () => upload(many)))
      const first = await upload(few)
      await Promise.all(files.map((file) => begin(many, file)))
      const one = await begin(few, first)
      expect((await (await stage.followJob(muxi.url, one)).untilFinal(60_000)).type).toBe('completed')
      const unfinished = async () =>
        stage.rows(`select id from jobs where user_id = 'many' and status in ('queued', 'running')`)
      await expect.poll(unfinished, { timeout: 60_000, interval: 200 }).toEqual([])
      const later = await stage.rows(
        `select id from jobs where user_id = 'many' and finished_at > (select finished_at from jobs where id = ?)`,
        one,
      )
      expect(later.length).toBeGreaterThan(15)
    },
  )

  it(keeps('documents.owners', 'files and jobs of another user are not there'), async () => {
    const keyOf = async (user_id: string): Promise<string> =>
      (await stage.call(muxi.url, '/api/v1/keys', { body: { name: user_id, scopes: ['chat'], user_id } })).body.key
    const [anna, ben] = [await keyOf('anna'), await keyOf('ben')]
    const file = await stage.upload(muxi.url, 'diary.txt', 'Dear diary.', anna)
    const begun = await stage.call(muxi.url, '/api/v1/jobs', { key: anna, body: { kind: 'document', file_id: file } })
    expect(begun.status).toBe(202)
    await (await stage.followJob(muxi.url, begun.body.id)).untilFinal()
    const paths = [
      `/files/${file}`,
      `/files/${file}/content`,
      `/jobs/${begun.body.id}`,
      `/jobs/${begun.body.id}/stream`,
      `/jobs/${begun.body.id}/text`,
    ]
    for (const path of paths) {
      expect((await stage.call(muxi.url, `/api/v1${path}`, { key: ben })).status, path).toBe(404)
      expect((await stage.call(muxi.url, `/api/v1${path}`, { key: anna })).status, path).toBe(200)
    }
    for (const path of [`/jobs/${begun.body.id}/cancel`, `/jobs/${begun.body.id}/retry`]) {
      expect((await stage.call(muxi.url, `/api/v1${path}`, { method: 'POST', key: ben })).status, path).toBe(404)
    }
    expect((await stage.call(muxi.url, `/api/v1/files/${file}`, { method: 'DELETE', key: ben })).status).toBe(404)
    expect(
      (await stage.call(muxi.url, '/api/v1/jobs', { key: ben, body: { kind: 'document', file_id: file } })).status,
    ).toBe(404)
    expect((await stage.call(muxi.url, '/api/v1/jobs', { key: ben })).body.jobs).toEqual([])
    expect(
      (
        await stage.call(muxi.url, '/api/v1/jobs', {
          key: anna,
          body: { kind: 'document', file_id: file, agent_id: 'offline' },
        })
      ).status,
    ).toBe(403)
    const content = await stage.call(muxi.url, `/api/v1/files/${file}/content`, { key: anna })
    expect(content.text).toBe('Dear diary.')
    expect(content.headers.get('content-disposition')).toMatch(/^attachment/)
    expect(content.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await stage.call(muxi.url, `/api/v1/files/${file}`, { method: 'DELETE', key: anna })).status).toBe(200)
    expect((await stage.call(muxi.url, `/api/v1/files/${file}`, { key: anna })).status).toBe(404)
  })

  it(
    keeps(
      'documents.knowledge',
      'sources are added, listed, searched and removed; those of agent files follow their files',
    ),
    async () => {
      const guide = () => search(muxi.url, 'When does the ferry to Sund leave?', 'ferry')
      await expect.poll(async () => (await guide())[0]?.content, { timeout: 30_000 }).toContain('7:40')
      writeFileSync(join(stage.agentsDir, 'guide.md'), GUIDE.replace('7:40', '8:15'))
      await expect.poll(async () => (await guide())[0]?.content, { timeout: 30_000, interval: 500 }).toContain('8:15')
      expect(JSON.stringify(await guide())).not.toContain('7:40')
      expect((await stage.call(muxi.url, '/api/v1/agents/ferry/knowledge/guide', { method: 'DELETE' })).status).toBe(
        409,
      )

      const path = '/api/v1/agents/ferry/knowledge'
      const added = await stage.call(muxi.url, path, {
        body: { id: 'prices', description: 'Prices', source_type: 'content', content: 'A ticket costs 12 crowns.' },
      })
      expect(added.body).toMatchObject({ status: 'added', knowledge_source: { id: 'prices', document_count: 1 } })
      expect((await search(muxi.url, 'What does a ticket cost?', 'ferry'))[0]).toMatchObject({
        knowledge_id: 'prices',
        page: 1,
      })
      expect((await stage.call(muxi.url, path)).body.knowledge_sources.map(({ id }: { id: string }) => id)).toEqual([
        'guide',
        'prices',
      ])
      expect((await stage.call(muxi.url, path, { body: { id: 'prices', content: 'x' } })).status).toBe(409)
      expect((await stage.call(muxi.url, path, { body: { id: 'passwd', path: '/etc/passwd' } })).status).toBe(400)
      expect((await stage.call(muxi.url, `${path}/prices`, { method: 'DELETE' })).body).toMatchObject({
        status: 'removed',
      })
      expect(JSON.stringify(await search(muxi.url, 'What does a ticket cost?', 'ferry'))).not.toContain('12 crowns')
    },
  )

  it(keeps('ws.resume', 'a job is followed over the WebSocket with the ids of its stream'), async () => {
    const jobId = await ingest(muxi.url, await stage.upload(muxi.url, 'short.txt', 'Short.'))
    await (await stage.followJob(muxi.url, jobId)).untilFinal()
    const socket = await stage.socket(muxi.url)
    socket.send('resume', 'r', { job_id: jobId, after: 2 })
    const end = await socket.waitFor(({ id, type }) => id === 'r' && type === 'completed')
    const ids = socket.frames.filter(({ id }) => id === 'r').map(({ data }) => data.event_id as number)
    expect(ids).toEqual(Array.from({ length: end.data.event_id - 2 }, (_, index) => index + 3))
    expect(ids.length).toBeGreaterThan(1)
  })
})

it.skipIf(isLeftOutOnDeno)(
  keeps(
    'documents.killed',
    'kill -9 of everything during 300 pages: it finishes, nothing finished is parsed again, each chunk is there once',
  ),
  async () => {
    stage = await openStage({ withoutTemporal: true })
    const port = await freePort()
    try {
      const first = await stage.startProduct({ port })
      const letGo = await holdAfter(stage, 'batches', 3)
      const jobId = await ingest(first.url, await stage.upload(first.url, 'lighthouses.pdf', pdf(numberedPages(300))))
      const stream = await stage.followJob(first.url, jobId)
      await stream.waitFor(({ data }) => data.stage === 'parsing' && data.done === 150)
      await first.killAll()
      await stream.ended
      const before = (await parses(jobId)).filter(({ parsed }) => parsed === 1)
      expect(before).toHaveLength(3)
      await letGo()

      const second = await stage.startProduct({ port })
      const again = await stage.followJob(second.url, jobId, stream.lastId)
      const end = await again.untilFinal(90_000)
      expect(end.type).toBe('completed')
      const after = await parses(jobId)
      expect(after).toHaveLength(6)
      expect(before.map(({ batch }) => after.find((each) => each['batch'] === batch)?.['parses'])).toEqual(
        before.map(() => 1),
      )
      const document = end.data.result.document_id as string
      const chunks = await stage.rows('select page, content from chunks where document_id = ?', document)
      expect(chunks).toHaveLength(end.data.result.chunks)
      expect(new Set(chunks.map(({ page, content }) => `${page} ${content}`)).size).toBe(chunks.length)
      expect(new Set(chunks.map(({ page }) => page)).size).toBe(300)
      for (const n of [1, 51, 150, 299])
        expect((await search(second.url, `keeper of lighthouse ${n}`))[0]).toMatchObject({ page: n })
      await second.stop()
    } finally {
      await stage.close()
    }
  },
)

describe('past one of its limits', () => {
  beforeAll(async () => {
    stage = await openStage()
  })
  afterAll(() => stage.close())

  it.each([
    ['too_much_memory', { MUXI_LIMIT_DOCUMENT_MEMORY_MB: '50' }],
    ['too_slow', { MUXI_LIMIT_DOCUMENT_MS: '40' }],
    ['too_much_output', { MUXI_LIMIT_DOCUMENT_OUTPUT_BYTES: '2000' }],
  ])(keeps('documents.limits', 'past one of them the file is %s, and the next is read'), async (reason, env) => {
    const muxi = await stage.start('all', { env })
    const { url } = muxi
    const jobId = await ingest(url, await stage.upload(url, 'long.pdf', pdf(numberedPages(1_000))))
    await (await stage.followJob(url, jobId)).untilFinal()
    expect((await job(url, jobId)).error).toMatchObject({ code: 'unprocessable', details: { reason } })
    const next = await ingest(url, await stage.upload(url, 'short.txt', 'Short.'))
    expect((await (await stage.followJob(url, next)).untilFinal()).type).toBe('completed')
    expect(await muxi.stop()).toBe(0)
  })
})

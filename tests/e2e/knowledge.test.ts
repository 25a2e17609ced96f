// Knowledge from documents: sources created with an agent, folders in agent files, and their passages for models and users.
import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync, renameSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { numberedPages, pdf } from '../support/pdf.ts'
import { openStage, type Answer, type CallOptions, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
let shelf: string

beforeAll(async () => {
  stage = await openStage({
    agents: {
      harbour: {
        description: 'Knows the harbour.',
        system_message: 'You know the harbour.',
        model: { provider: 'offline', model: 'offline' },
        knowledge: [{ id: 'shelf', description: 'The shelf', path: 'shelf' }],
      },
    },
    env: { MUXI_LIMIT_KNOWLEDGE_FILES: '6' },
  })
  shelf = join(stage.agentsDir, 'shelf')
  mkdirSync(join(shelf, 'tides', '.drafts'), { recursive: true })
  writeFileSync(join(shelf, 'ferry.md'), 'The ferry to Sund leaves at 7:40 from pier nine.')
  writeFileSync(join(shelf, 'tides', 'spring.txt'), 'The spring tide reaches the bollard of Saint Elmo.')
  writeFileSync(join(shelf, '.secret.md'), 'The combination of the hidden safe is 4711.')
  writeFileSync(join(shelf, 'tides', '.drafts', 'draft.md'), 'The combination of the hidden safe is 4711.')
  writeFileSync(join(shelf, 'picture.bin'), Buffer.from([0, 1, 2, 3, 255, 254]))
  symlinkSync('/etc/passwd', join(shelf, 'passwd.txt'))
  muxi = await stage.start('all', { env: { MUXI_KNOWLEDGE_DIRS: shelf } })
})
afterAll(async () => {
  await stage.check()
  await stage.close()
})

const call = (path: string, options?: CallOptions): Promise<Answer> => stage.call(muxi.url, `/api/v1${path}`, options)
const keyOf = async (fields: object): Promise<string> =>
  (await call('/keys', { body: { name: 'k', ...fields } })).body.key

async function upload(name: string, bytes: Uint8Array | string, headers: Record<string, string> = {}): Promise<Answer> {
  const form = new FormData()
  form.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
  const response = await fetch(`${muxi.url}/api/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.key}`, ...headers },
    body: form,
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

const found = async (agent: string, query: string): Promise<string> =>
  JSON.stringify((await call(`/agents/${agent}/knowledge/search?query=${encodeURIComponent(query)}`)).body.results)
const eventually = (work: () => Promise<unknown>) => expect.poll(work, { timeout: 30_000, interval: 250 })

const AGENT = { description: 'd', system_message: 's', model: { provider: 'offline', model: 'offline' } }

describe('a folder that an agent file names', () => {
  it(
    keeps('documents.folder', 'is known with all documents below it, but not what is hidden or lies outside'),
    async () => {
      await eventually(() => found('harbour', 'ferry to Sund')).toContain('7:40')
      await eventually(() => found('harbour', 'spring tide bollard')).toContain('Saint Elmo')
      expect(await found('harbour', 'combination of the hidden safe')).not.toContain('4711')
      expect(await found('harbour', 'root /bin/bash')).not.toContain('/bin/')
      const { knowledge_sources } = (await call('/agents/harbour/knowledge')).body
      expect(knowledge_sources).toMatchObject([{ id: 'shelf', description: 'The shelf', document_count: 2 }])
      const rows = await stage.rows("select name from jobs where knowledge_id = 'shelf' order by name")
      expect(rows.map(({ name }) => name)).toEqual(['ferry.md', 'tides/spring.txt'])
    },
  )

  it(
    keeps('documents.folder', 'follows its files: changed, new and removed ones, and leaves the others alone'),
    async () => {
      writeFileSync(join(shelf, 'ferry.md'), 'The ferry to Sund leaves at 8:15 from pier nine.')
      writeFileSync(join(shelf, 'fog.md'), 'In fog the horn sounds thrice a minute.')
      rmSync(join(shelf, 'tides', 'spring.txt'))
      await eventually(() => found('harbour', 'ferry to Sund')).toContain('8:15')
      await eventually(() => found('harbour', 'horn in fog')).toContain('thrice')
      await eventually(() => found('harbour', 'spring tide bollard')).not.toContain('Saint Elmo')
      expect(await found('harbour', 'ferry to Sund')).not.toContain('7:40')
      const { knowledge_sources } = (await call('/agents/harbour/knowledge')).body
      expect(knowledge_sources).toMatchObject([{ document_count: 2 }])
      expect(await stage.rows("select 1 from jobs where name = 'fog.md'")).toHaveLength(1)
      const results = await stage.rows("select result from jobs where name in ('ferry.md', 'fog.md') order by id")
      const message = 'It took the place of the earlier document of its name'
      const replaced = { code: 'replaced', message, count: 1, text: message }
      expect(results.map(({ result }) => JSON.parse(String(result)).notices)).toEqual([
        undefined,
        [replaced],
        undefined,
      ])
    },
  )

  it(
    keeps(
      'documents.folder',
      'names the files that cannot be read, follows the others, and reads them when they can be',
    ),
    async () => {
      const foreign = Buffer.concat([Buffer.from(join(shelf, 'caf')), Buffer.from([0xe9]), Buffer.from('.md')])
      writeFileSync(foreign, 'The café opens at six.')
      writeFileSync(join(shelf, 'broken.pdf'), '%PDF-1.4 broken')
      writeFileSync(join(shelf, 'gulls.md'), 'Gulls nest on the eastern mole.')
      await eventually(() => found('harbour', 'where gulls nest')).toContain('eastern mole')
      const unread = async () => (await call('/agents/harbour/knowledge')).body.knowledge_sources[0].unread ?? []
      await eventually(unread).toEqual([
        { name: 'caf\ufffd.md', reason: 'Its name is not UTF-8' },
        { name: 'broken.pdf', reason: expect.stringMatching(/damaged/) },
      ])
      renameSync(foreign, join(shelf, 'cafe.md'))
      rmSync(join(shelf, 'broken.pdf'))
      await eventually(() => found('harbour', 'when the café opens')).toContain('six')
      await eventually(unread).toEqual([])
      for (const name of ['cafe.md', 'gulls.md']) rmSync(join(shelf, name))
    },
  )

  it(keeps('documents.folder', 'follows two files that change places, of equal size and time'), async () => {
    const [east, west, other] = ['east.md', 'west.md', 'other.md'].map((name) => join(shelf, name))
    writeFileSync(east!, 'Eastern light: white.')
    writeFileSync(west!, 'Western light: green.')
    for (const path of [east!, west!]) utimesSync(path, 1_000, 1_000)
    await eventually(() => found('harbour', 'western light')).toContain('green')
    const named = () => stage.rows("select name, sha256 from jobs where name in ('east.md', 'west.md') order by id")
    const before = await named()
    renameSync(east!, other!)
    renameSync(west!, east!)
    renameSync(other!, west!)
    await eventually(named).toHaveLength(before.length + 2)
    for (const path of [east!, west!]) rmSync(path)
  })

  it(keeps('documents.folder', 'that holds too many files is left as it was, and the log says why'), async () => {
    for (let n = 0; n < 7; n += 1) writeFileSync(join(shelf, `more-${n}.md`), `Number ${n}.`)
    await eventually(async () => muxi.logs().map(({ why }) => why)).toContain(
      'Cannot add the knowledge: a folder may hold 6 files',
    )
    expect(await found('harbour', 'ferry to Sund')).toContain('8:15')
    for (let n = 0; n < 7; n += 1) rmSync(join(shelf, `more-${n}.md`))
  })

  it(keeps('documents.folder', 'takes nothing over the API: its agent file says what it holds'), async () => {
    const file_id = (await upload('x.md', 'x')).body.id
    const body = { kind: 'document', file_id, agent_id: 'harbour', knowledge_id: 'shelf' }
    expect((await call('/jobs', { body })).status).toBe(409)
  })
})

describe('knowledge in POST /agents', () => {
  it(
    keeps('documents.agent', 'text, an uploaded file and a file of the server become what the agent knows'),
    async () => {
      const file_id = (await upload('prices.md', 'A ticket costs 12 crowns.')).body.id
      const knowledge = [
        { id: 'crew', description: 'The crew', source_type: 'content', content: 'The captain is called Ingrid.' },
        { id: 'prices', source_type: 'upload', file_id },
        { id: 'ferry', source_type: 'file', path: join(realpathSync(shelf), 'ferry.md') },
      ]
      const made = await call('/agents', { body: { id: 'clerk', ...AGENT, knowledge } })
      expect(made.body).toMatchObject({
        id: 'clerk',
        status: 'created',
        knowledge_sources: [{ id: 'crew' }, { id: 'prices' }, { id: 'ferry' }],
      })
      for (const { job_id } of made.body.knowledge_sources)
        await eventually(async () => (await call(`/jobs/${job_id}`)).body.status).toBe('completed')
      expect(await found('clerk', 'name of the captain')).toContain('Ingrid')
      expect(await found('clerk', 'cost of a ticket')).toContain('12 crowns')
      expect(await found('clerk', 'ferry to Sund')).toContain('8:15')
      expect((await call('/agents/clerk')).body.knowledge_sources).toMatchObject([
        { id: 'crew', description: 'The crew', document_count: 1 },
        { id: 'ferry', description: 'ferry.md' },
        { id: 'prices', description: 'prices.md' },
      ])
      expect((await call('/agents/clerk/knowledge/crew', { method: 'DELETE' })).status).toBe(200)
      expect(await found('clerk', 'name of the captain')).not.toContain('Ingrid')
    },
  )

  it(keeps('documents.agent', 'is refused as at the knowledge endpoint, and then there is no agent'), async () => {
    const manager = await keyOf({ scopes: ['manage', 'read', 'chat'], user_id: 'anna' })
    const file_id = (await upload('default.md', 'Of the user default.')).body.id
    const refused: [source: object, key: string, status: number, words: string][] = [
      [{ id: 'a', path: join(shelf, 'ferry.md') }, manager, 403, 'admin'],
      [{ id: 'a', path: '/etc/passwd' }, stage.key, 400, 'knowledge.0.path'],
      [{ id: 'a', path: join(shelf, 'passwd.txt') }, stage.key, 400, 'knowledge.0.path'],
      [{ id: 'a', path: shelf }, stage.key, 400, 'knowledge.0.path'],
      [{ id: 'a', file_id }, manager, 404, file_id],
      [{ id: 'a', file_id: 'file_0123456789abcdef0123456789abcdef' }, stage.key, 404, 'file_'],
      [{ id: 'a', content: '' }, stage.key, 400, 'knowledge.0.content'],
    ]
    for (const [source, key, status, words] of refused) {
      const answer = await call('/agents', { key, body: { id: 'nobody', ...AGENT, knowledge: [source] } })
      expect([answer.status, answer.text], JSON.stringify(source)).toEqual([status, expect.stringContaining(words)])
    }
    const twice = { id: 'a', content: 'x' }
    const answer = await call('/agents', { body: { id: 'nobody', ...AGENT, knowledge: [twice, twice] } })
    expect(answer.body.error.details.fields).toMatchObject([{ path: 'knowledge.1.id' }])
    expect((await call('/agents/nobody')).status).toBe(404)
  })
})

describe('what is found', () => {
  it(
    keeps('documents.tool', 'a model that searches gets passages with document and page, within the turn'),
    async () => {
      const content = 'The lamp of the lighthouse is trimmed by Astrid.'
      const added = await call('/agents/scripted/knowledge', { body: { id: 'lamps', content } })
      expect(added.body.status).toBe('added')
      const cue = stage.model.script(
        { say: 'Let me look. ', call: [{ name: 'search_knowledge', arguments: { query: 'Who trims the lamp?' } }] },
        { say: 'Astrid does.' },
      )
      const conversation_id = await stage.conversation(muxi.url)
      const turn = await stage.chat(muxi.url, `Who trims the lamp? ${cue}`, { conversation_id })
      expect((await turn.untilFinal()).type).toBe('message_end')
      const end = turn.events.find(({ type }) => type === 'tool_call_end')
      expect(end?.data.is_error).toBe(false)
      expect(end?.data.output).toEqual({ passages: [{ document: 'lamps.md', page: 1, content }] })
      const { turn_id } = turn.events[0]!.data
      const { message } = await stage.turn(muxi.url, turn_id)
      expect(message.agent_response.tool_calls).toMatchObject([
        { name: 'search_knowledge', server: 'builtin', output: { passages: [{ document: 'lamps.md', page: 1 }] } },
      ])
      const { entries } = (await call(`/turns/${turn_id}/log`)).body
      expect(entries.map(({ kind }: { kind: string }) => kind)).toEqual([
        'recall',
        'model_call',
        'tool_call',
        'model_call',
      ])
    },
  )

  it(keeps('ui.documents', 'the codec endpoint names documents and shows passages to their owner only'), async () => {
    const [anna, ben] = [
      await keyOf({ scopes: ['chat'], user_id: 'anna' }),
      await keyOf({ scopes: ['chat'], user_id: 'ben' }),
    ]
    const data = Buffer.from('The password of the boat house is Heron.').toString('base64')
    const attachments = [{ type: 'text/plain', name: 'boats.txt', data }]
    const asked = { content: 'What is the password of the boat house?', attachments }
    const { turn_id } = (await call('/agents/offline/chat', { key: anna, body: asked })).body
    const [job] = (await call('/jobs', { key: anna })).body.jobs
    const decode = async (key: string, value: object) => {
      const payload = {
        metadata: { encoding: Buffer.from('json/plain').toString('base64') },
        data: Buffer.from(JSON.stringify(value)).toString('base64'),
      }
      const { body } = await stage.call(muxi.url, '/codec/decode', { key, body: { payloads: [payload] } })
      return JSON.parse(Buffer.from(body.payloads[0].data, 'base64').toString()).text
    }
    const values = [
      { job_id: job.id, run: 1 },
      { job_id: job.id, run: 1, batch: 1 },
      { turn_id, passages: 1 },
    ]
    expect(await Promise.all(values.map((value) => decode(anna, value)))).toMatchObject([
      { file: 'boats.txt' },
      { file: 'boats.txt' },
      { recalled: [{ document: 'boats.txt', page: 1, content: expect.stringContaining('Heron') }] },
    ])
    expect(await Promise.all(values.map((value) => decode(ben, value)))).toEqual([undefined, undefined, undefined])
  })
})

describe('sent twice', () => {
  it(keeps('idempotency.files', 'the same Idempotency-Key and body give the same file and the same job'), async () => {
    const headers = { 'idempotency-key': 'documents-1' }
    const files = await Promise.all(Array.from({ length: 5 }, () => upload('once.md', 'Once only.', headers)))
    expect(new Set(files.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
    expect((await upload('once.md', 'Another.', headers)).status).toBe(409)
    expect((await upload('twice.md', 'Once only.', headers)).status).toBe(409)
    expect(await stage.rows("select id from files where name in ('once.md', 'twice.md')")).toHaveLength(1)
    expect((await call(`/files/${files[0]!.body.id}/content`)).text).toBe('Once only.')

    const body = { kind: 'document', file_id: files[0]!.body.id }
    const jobs = await Promise.all(Array.from({ length: 5 }, () => call('/jobs', { body, headers })))
    expect(new Set(jobs.map(({ status, body: { id } }) => `${status} ${id}`)).size).toBe(1)
    expect((await call('/jobs', { body: { ...body, agent_id: 'offline' }, headers })).status).toBe(409)
    expect(await stage.rows("select id from jobs where name = 'once.md'")).toHaveLength(1)
    const other = await keyOf({ scopes: ['chat'] })
    const second = (await call('/jobs', { body, headers, key: other })).body.id
    expect(second).not.toBe(jobs[0]!.body.id)
    // Also when the file is deleted meanwhile, which a job that runs forbids.
    for (const id of [jobs[0]!.body.id, second])
      await eventually(async () => (await call(`/jobs/${id}`)).body.status).toBe('completed')
    expect((await call(`/files/${body.file_id}`, { method: 'DELETE' })).status).toBe(200)
    expect((await call('/jobs', { body, headers })).body.id).toBe(jobs[0]!.body.id)
    expect((await call('/jobs', { body })).status).toBe(404)
  })
})

describe('a document that is not what it seems', () => {
  it(
    keeps('documents.scanned', 'a PDF without text completes and says so, to the client and to the model'),
    async () => {
      const scan = pdf([{ sentences: [] }, { sentences: [] }])
      const file_id = (await upload('scan.pdf', scan)).body.id
      const job = await call('/jobs', { body: { kind: 'document', file_id, agent_id: 'offline' } })
      const path = `/jobs/${job.body.id}`
      await eventually(async () => (await call(path)).body.status).toBe('completed')
      const message = 'No text was found in the document, nor in pictures of its pages'
      expect((await call(path)).body.result).toMatchObject({
        pages: 2,
        chunks: 0,
        notices: [{ code: 'no_text', message, count: 1 }],
      })

      const cue = stage.model.script({ say: 'It has no text.' })
      const attachments = [{ type: 'application/pdf', name: 'scan.pdf', file_id }]
      const conversation_id = await stage.conversation(muxi.url)
      await (await stage.chat(muxi.url, `Sum it up. ${cue}`, { conversation_id, attachments })).untilFinal()
      const asked = JSON.stringify(stage.model.requests(cue)[0]?.messages.at(-1))
      expect(asked).toContain(`[Attached: scan.pdf, 2 pages. ${message}]`)
    },
  )

  it(
    keeps('documents.refused', 'one with too many pages is refused with the limit, and the process lives'),
    async () => {
      const file_id = (await upload('huge.pdf', pdf(numberedPages(10_000)))).body.id
      const job = await call('/jobs', { body: { kind: 'document', file_id, agent_id: 'offline' } })
      const path = `/jobs/${job.body.id}`
      await eventually(async () => (await call(path)).body.status).toBe('failed')
      expect((await call(path)).body.error).toEqual({
        code: 'unprocessable',
        message: 'The document has 10000 pages; 5000 are allowed',
        details: { reason: 'too_many_pages' },
      })
      expect(muxi.child.exitCode).toBeNull()
      expect(await stage.rows('select 1 from job_batches where job_id = ?', job.body.id)).toEqual([])
    },
  )
})

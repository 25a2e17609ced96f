// The change of the embedding model in the whole product: the former one serves until a job has embedded everything again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddingServer, startEmbeddingServer } from '../support/embedding-server.ts'
import { LONG } from '../support/long.ts'
import { type Answer, type CallOptions, type DatabaseName, type Muxi, openStage, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const AGENT = 'rememberer'
const agents = {
  [AGENT]: {
    description: 'Remembers.',
    system_message: 'You remember.',
    model: { provider: 'offline', model: 'offline' },
    memory: { buffer: 10, long_term: true },
  },
}
const SMALL = 'openai:small@384'
const FOLDED = 'openai:folded-96@96'
/** Of another vendor, whose key is taken away in the end. */
const OTHER = 'mistral:folded-48@48'
/** Requests that are sent at once, and texts of each. */
const AT_ONCE = 4

/** A document of so many chunks that it takes several batches. */
const LETTERS = Array.from({ length: 420 }, (_, index) => {
  const words = Array.from({ length: 190 }, (__, word) => `word${(index * 7 + word * 13) % 997}`)
  return `# Letter ${index}\n\nThe ferry number ${index} leaves from pier ${index + 1}. ${words.join(' ')}`
}).join('\n\n')

describe.each<DatabaseName>(LONG ? ['sqlite', 'postgres'] : ['sqlite'])('on %s', (database) => {
  let embeddings: EmbeddingServer
  let stage: Stage
  let api: Muxi
  let worker: Muxi
  beforeAll(async () => {
    embeddings = await startEmbeddingServer()
    stage = await openStage({ database, agents, env: { ...embeddings.env, MUXI_ENGINE_SWEEP_MS: '500' } })
    await start(SMALL)
  })
  afterAll(async () => {
    await stage.check()
    await stage.close()
    await embeddings.close()
  })

  async function start(model: string, more: Record<string, string> = {}): Promise<void> {
    const env = { MUXI_EMBEDDING_MODEL: model, ...more }
    ;[api, worker] = await Promise.all([stage.start('api', { env }), stage.start('worker', { env })])
  }
  async function restart(model: string, more: Record<string, string> = {}): Promise<void> {
    await Promise.all([api.stop(), worker.stop()])
    await start(model, more)
  }

  const call = (path: string, options?: CallOptions): Promise<Answer> => stage.call(api.url, `/api/v1${path}`, options)
  const eventually = (work: () => Promise<unknown>) => expect.poll(work, { timeout: 60_000, interval: 100 })
  const know = async (id: string, content: string) => {
    const body = { id, description: id, source_type: 'content', content }
    const { status, text } = await call(`/agents/${AGENT}/knowledge`, { body })
    expect(status, text).toBe(201)
  }
  const passages = async (query: string): Promise<string> =>
    JSON.stringify((await call(`/agents/${AGENT}/knowledge/search?query=${encodeURIComponent(query)}`)).body.results)
  const memories = async (query: string): Promise<string> =>
    JSON.stringify(
      (await call(`/agents/${AGENT}/memory/search?user_id=anna&query=${encodeURIComponent(query)}`)).body.results,
    )
  async function say(content: string): Promise<string> {
    const conversation_id = await stage.conversation(api.url, { agent_id: AGENT, user_id: 'anna' })
    const body = { content, conversation_id, user_id: 'anna' }
    const answer = await call(`/agents/${AGENT}/chat`, { body })
    expect(answer.status, answer.text).toBe(200)
    return answer.body.agent_response.content
  }
  const embedding = async () => (await call('/system/status')).body.embedding
  const begin = async (): Promise<string> => {
    const { status, body, text } = await call('/jobs', { body: { kind: 'reembed' } })
    expect(status, text).toBe(202)
    return body.id
  }
  const job = async (id: string) => (await call(`/jobs/${id}`)).body
  const answered = (model: string) =>
    embeddings.answered.filter((each) => each.model === model).flatMap(({ texts }) => texts)

  it(keeps('reembed.serves', 'the former model serves after a change of the setting, and says so'), async () => {
    const file_id = await stage.upload(api.url, 'letters.md', LETTERS)
    const { body } = await call('/jobs', {
      body: { kind: 'document', file_id, agent_id: AGENT, knowledge_id: 'letters' },
    })
    await eventually(async () => (await job(body.id)).status).toBe('completed')
    expect((await job(body.id)).result.chunks).toBeGreaterThan(350)
    await say('The spare key is under the third flower pot.')
    await eventually(() => memories('spare key')).toContain('flower pot')
    expect(await embedding()).toEqual({ model: SMALL, dimension: 384, configured: SMALL, state: 'current' })

    await restart(FOLDED)
    expect(await embedding()).toEqual({ model: SMALL, dimension: 384, configured: FOLDED, state: 'outdated' })
    expect(api.logs().map(({ msg }) => msg)).toContainEqual(expect.stringContaining('"kind":"reembed"'))
    expect(await passages('ferry number 77')).toContain('pier 78.')
    expect(await say('Where is the spare key?')).toContain('third flower pot')
    expect(answered('folded-96')).toEqual([])
  })

  it(
    keeps('reembed.killed', 'kill -9 in the middle, documents and messages meanwhile: nothing is lost or asked twice'),
    async () => {
      embeddings.hold('folded-96', AT_ONCE)
      const id = await begin()
      expect((await call('/jobs', { body: { kind: 'reembed' } })).body.error.code).toBe('conflict')
      await eventually(async () => (await job(id)).progress.done).toBeGreaterThan(0)
      expect((await job(id)).progress).toMatchObject({ unit: 'chunks', stage: 'embedding' })
      expect((await embedding()).job_id).toBe(id)
      await worker.kill()
      worker = await stage.start('worker', { env: { MUXI_EMBEDDING_MODEL: FOLDED } })
      await know('tides', 'The spring tide reaches the bollard of Saint Elmo.')
      await say('My boat is called Albatross.')
      await eventually(() => memories('name of the boat')).toContain('Albatross')
      expect(await passages('spring tide bollard')).toContain('Saint Elmo')
      expect(await passages('ferry number 77')).toContain('pier 78.')
      expect((await embedding()).model).toBe(SMALL)
      embeddings.release()
      const events = await stage.followJob(api.url, id)
      const end = await events.untilFinal()
      const chunks = (await stage.rows('select count(*) as n from chunks'))[0]!['n']
      expect(end.data).toEqual({ id, result: { model: FOLDED, dimension: 96, chunks: expect.any(Number) } })
      expect(await job(id)).toMatchObject({ kind: 'reembed', name: FOLDED, file_id: null, status: 'completed' })
      expect(await embedding()).toEqual({ model: FOLDED, dimension: 96, configured: FOLDED, state: 'current' })
      const once = answered('folded-96')
      expect(new Set(once).size).toBe(once.length)

      const before = answered('small').length
      expect(await passages('ferry number 77')).toContain('pier 78.')
      expect(await passages('spring tide bollard')).toContain('Saint Elmo')
      expect(await memories('name of the boat')).toContain('Albatross')
      expect(await say('Where is the spare key?')).toContain('third flower pot')
      expect(answered('small')).toHaveLength(before)
      await eventually(() => stage.rows('select state from vector_sets')).toEqual([{ state: 'serving' }])
      expect(Number(chunks)).toBeGreaterThan(350)
    },
  )

  it(keeps('reembed.ends', 'cancelled and failed: the former model serves; a retry goes on'), async () => {
    await restart(OTHER, { MISTRAL_API_KEY: 'sk-mistral', MISTRAL_BASE_URL: embeddings.env['OPENAI_BASE_URL']! })
    embeddings.hold('folded-48', AT_ONCE)
    const id = await begin()
    await eventually(async () => (await job(id)).progress.done).toBeGreaterThan(0)
    const cancelled = await call(`/jobs/${id}/cancel`, { method: 'POST', body: {} })
    expect([cancelled.status, cancelled.body.status], cancelled.text).toEqual([200, 'cancelled'])
    embeddings.release()
    expect(await embedding()).toMatchObject({ model: FOLDED, state: 'outdated' })
    expect(await passages('ferry number 77')).toContain('pier 78.')
    await eventually(() => stage.rows('select state from vector_sets')).toEqual([{ state: 'serving' }])

    embeddings.fail(401)
    expect((await call(`/jobs/${id}/retry`, { method: 'POST', body: {} })).status).toBe(202)
    await eventually(async () => (await job(id)).status).toBe('failed')
    expect((await job(id)).error).toMatchObject({ code: 'upstream_error' })
    embeddings.fail(undefined)
    expect(await passages('ferry number 77')).toContain('pier 78.')

    expect((await call(`/jobs/${id}/retry`, { method: 'POST', body: {} })).status).toBe(202)
    await eventually(async () => (await job(id)).status).toBe('completed')
    const once = answered('folded-48')
    expect(new Set(once).size).toBe(once.length)
    expect(await embedding()).toMatchObject({ model: OTHER, state: 'current' })
    expect(await passages('ferry number 77')).toContain('pier 78.')
    expect(await say('Where is the spare key?')).toContain('third flower pot')
  })

  it(keeps('reembed.words', 'searches find by words when the model of the index cannot be asked'), async () => {
    await restart('local')
    expect(await embedding()).toMatchObject({ model: OTHER, configured: 'hashing-384', state: 'words_only' })
    expect((await call('/system/status')).body.status).toBe('degraded')
    expect(await passages('bollard of Saint Elmo')).toContain('spring tide')
    await know('fog', 'In fog the horn sounds thrice a minute.')
    expect(await passages('horn in fog')).toContain('thrice')
    const id = await begin()
    await eventually(async () => (await job(id)).status).toBe('completed')
    expect(await embedding()).toEqual({
      model: 'hashing-384',
      dimension: 384,
      configured: 'hashing-384',
      state: 'current',
    })
    expect(await passages('horns in the fog')).toContain('thrice')
    expect(await say('Where is the spare key?')).toContain('third flower pot')
  })
})

// Agents over the API: changed while they answer, deleted with all that they have, exported and imported as files.
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { isAlive } from '../support/is-alive.ts'
import { openStage, type CallOptions, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const AGENT = { description: 'Keeps the desk.', system_message: 'Be brief.' }
const FILED = { ...AGENT, model: { provider: 'offline', model: 'offline' } }

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage({
    env: { MUXI_API_ENV: 'CLERK_CRM_TOKEN,COPY_MODEL_API_KEY', CLERK_CRM_TOKEN: 'sk-of-the-crm' },
  })
  mkdirSync(join(stage.agentsDir, 'shared'))
  writeFileSync(
    join(stage.agentsDir, 'shared', 'harbour.yaml'),
    'description: Harbour\nsystem_message: ${MUXI_TEST_WORDS}\n',
  )
  writeFileSync(join(stage.folder, 'outside.json'), JSON.stringify(FILED))
  symlinkSync(join(stage.folder, 'outside.json'), join(stage.agentsDir, 'shared', 'linked.json'))
  muxi = await stage.start('all', {
    env: { MUXI_TEST_WORDS: 'Know the harbour.', COPY_MODEL_API_KEY: 'sk-of-the-copy' },
  })
})
afterAll(async () => {
  await stage.check()
  await stage.close()
})

const call = (path: string, options?: CallOptions) => stage.call(muxi.url, `/api/v1${path}`, options)
const patch = (id: string, body: unknown, key?: string) =>
  call(`/agents/${id}`, { method: 'PATCH', body, ...(key !== undefined && { key }) })
const remove = (id: string) => call(`/agents/${id}`, { method: 'DELETE' })
const modelOf = () => ({ provider: 'openai', model: 'gpt-4.1-mini', base_url: stage.model.baseUrl, api_key: 'sk-own' })
const systemOf = (cue: string) =>
  stage.model.requests(cue).map(({ messages }) => messages.find(({ role }) => role === 'system')?.content)

describe('PATCH', () => {
  it(
    keeps('agents.change', 'a turn keeps the version it began with, and the next one has the new version'),
    async () => {
      expect((await call('/agents', { body: { id: 'clerk', ...AGENT, model: modelOf() } })).status).toBe(201)
      const held = new HeldReply()
      const tool = { name: 'current_time', arguments: {} }
      const first = stage.model.script({ say: 'x'.repeat(200), call: [tool], held }, { say: 'First.' })
      const stream = await stage.chat(muxi.url, first, { agent: 'clerk' })
      await stream.waitFor(({ type }) => type === 'content')
      const changed = await patch('clerk', { system_message: 'Be kind.', model: { temperature: 0.5 } })
      expect(changed.body).toEqual({
        id: 'clerk',
        description: AGENT.description,
        updated_at: expect.stringMatching(/Z$/),
        status: 'updated',
      })
      held.release()
      expect((await stream.untilFinal()).type).toBe('message_end')
      const second = stage.model.script({ say: 'Second.' })
      await (await stage.chat(muxi.url, second, { agent: 'clerk' })).untilFinal()
      expect(systemOf(first)).toEqual([expect.stringContaining('Be brief.'), expect.stringContaining('Be brief.')])
      expect(systemOf(second)).toEqual([expect.stringContaining('Be kind.')])
      expect((await call('/agents/clerk')).body).toMatchObject({
        id: 'clerk',
        model: { provider: 'openai', model: 'gpt-4.1-mini', temperature: 0.5 },
        system_message: 'Be kind.',
        memory: { buffer: 20, long_term: false },
        stats: { conversations: 1, total_messages: 4, active_users: 1 },
        mcp_servers: [],
        knowledge_sources: [],
        source: 'api',
        version: 2,
      })
      expect(stage.model.served.every(({ authorization }) => authorization === 'Bearer sk-own')).toBe(true)
    },
  )

  it(keeps('agents.change', 'what is not as documented is refused by its path, and changes nothing'), async () => {
    for (const [body, status, path] of [
      [{ model: { temperature: 'hot' } }, 400, 'model.temperature'],
      [{ model: { provider: null } }, 400, 'model.provider'],
      [{ nonsense: 1 }, 400, 'nonsense'],
      [{ memory: { long_term: { deep: 1 } } }, 400, 'memory.long_term'],
      [{ handoffs: ['nobody'] }, 422, 'handoffs.0'],
    ] as const) {
      const refused = await patch('clerk', body)
      expect([refused.status, refused.body.error.details.fields[0].path], refused.text).toEqual([status, path])
    }
    expect((await patch('unknown', {})).status).toBe(404)
    const filed = await patch('offline', { description: 'Mine.' })
    expect([filed.status, filed.body.error.message]).toEqual([409, expect.stringContaining("'offline.json'")])
    expect((await call('/agents/clerk')).body.version).toBe(2)
    const { body: manager } = await call('/keys', { body: { name: 'm', scopes: ['manage'] } })
    const command = { mcp_servers: [{ name: 'sh', command: 'node -v' }] }
    expect((await patch('clerk', command, manager.key)).body.error.code).toBe('forbidden')
    expect(
      (await call('/agents/import', { body: { config: { id: 'sh', ...AGENT, ...command } }, key: manager.key })).status,
    ).toBe(403)
    expect((await patch('clerk', { mcp_servers: [{ name: 'sh', command: 'sh' }] })).status).toBe(403)
  })
})

it(keeps('agents.cached', 'in every process, and a stored file too'), async () => {
  const other = await stage.start('api')
  const list = (url: string, etag?: string) =>
    stage.call(url, '/api/v1/agents', { headers: etag === undefined ? {} : { 'if-none-match': etag } })
  const etagOf = async (url: string) => (await list(url)).headers.get('etag')!
  const seen = await etagOf(muxi.url)
  expect(await etagOf(other.url)).toBe(seen)
  for (const { url } of [muxi, other]) {
    const again = await list(url, seen)
    expect([again.status, again.text, again.headers.get('cache-control')]).toEqual([304, '', 'private, no-cache'])
  }
  // What one process writes is seen by the next request to any other.
  expect((await call('/agents', { body: { id: 'later', ...FILED } })).status).toBe(201)
  for (const { url } of [muxi, other]) {
    const changed = await list(url, seen)
    expect([changed.status, changed.body.agents.map(({ id }: { id: string }) => id)]).toEqual([
      200,
      expect.arrayContaining(['later']),
    ])
  }
  const before = await etagOf(other.url)
  await call('/conversations', { body: { agent_id: 'later' } })
  const counted = await list(other.url, before)
  expect(counted.body.agents.find(({ id }: { id: string }) => id === 'later').stats.conversations).toBe(1)
  await remove('later')
  expect((await list(other.url)).text).not.toContain('"later"')

  const file = await stage.upload(muxi.url, 'note.txt', 'Tea is at four.')
  const bytes = await call(`/files/${file}/content`)
  const known = await call(`/files/${file}/content`, { headers: { 'if-none-match': bytes.headers.get('etag')! } })
  expect([bytes.status, known.status, known.text]).toEqual([200, 304, ''])
  await other.stop()
})

describe('DELETE', () => {
  it(keeps('agents.delete', 'cancels its turns and ends its servers; conversations and the log stay'), async () => {
    const sums = { name: 'sums', builtin: 'calculator', idle_stop: 'never' }
    const knowledge = [{ id: 'crew', content: 'The captain is called Ingrid.' }]
    const added = await call('/agents', {
      body: { id: 'leaving', ...AGENT, model: modelOf(), mcp_servers: [sums], knowledge },
    })
    expect(added.status, added.text).toBe(201)
    const servers = async () => (await call('/agents/leaving/mcp_servers')).body.mcp_servers?.[0]
    await expect.poll(async () => (await servers()).connected, { timeout: 20_000 }).toBe(true)
    const { pid } = (await servers()).stats
    await expect
      .poll(async () => (await call('/agents/leaving/knowledge/search?query=captain')).body.results.length)
      .toBe(1)
    const held = new HeldReply()
    const cue = stage.model.script({ say: 'y'.repeat(200), held })
    const stream = await stage.chat(muxi.url, cue, { agent: 'leaving' })
    const started = await stream.waitFor(({ type }) => type === 'message_start')
    await stream.waitFor(({ type }) => type === 'content')
    const { turn_id, conversation_id } = started.data as { turn_id: string; conversation_id: string }
    const log = async () => (await call(`/turns/${turn_id}/log`)).body.entries.length
    await expect.poll(log).toBeGreaterThan(0)
    expect((await remove('leaving')).body).toEqual({ id: 'leaving', status: 'deleted' })
    expect((await stream.untilFinal()).type).toBe('cancelled')
    expect((await call(`/turns/${turn_id}`)).body.status).toBe('cancelled')
    expect(await log()).toBeGreaterThan(0)
    expect((await call(`/conversations/${conversation_id}/messages`)).body.messages.length).toBeGreaterThan(0)
    for (const path of ['', '/knowledge', '/mcp_servers', '/export'])
      expect((await call(`/agents/leaving${path}`)).status, path).toBe(404)
    expect((await call('/agents/leaving/chat', { body: { content: 'x', conversation_id } })).status).toBe(404)
    expect((await remove('leaving')).status).toBe(404)
    await expect.poll(() => isAlive(pid)).toBe(false)
    const left =
      'select (select count(*) from chunks) as chunks, (select count(*) from secrets where name like ?) as secrets'
    expect(await stage.rows(left, '%/leaving/%')).toEqual([{ chunks: 0, secrets: 0 }])
    expect((await call('/agents', { body: { id: 'leaving', ...FILED } })).status).toBe(201)
    expect((await call('/agents/leaving')).body).toMatchObject({ version: 2, mcp_servers: [], knowledge_sources: [] })
    expect((await remove('offline')).status).toBe(409)
  })
})

describe('files', () => {
  it(keeps('agents.files', 'an exported agent is imported again, as JSON and as YAML'), async () => {
    const crm = { name: 'crm', url: 'http://127.0.0.1:9/mcp', credentials: { TOKEN: 'sk-of-the-crm' } }
    const copy = { id: 'copy', ...AGENT, system_message: 'Say ${NAME}.', model: modelOf(), memory: { long_term: true } }
    expect((await call('/agents', { body: { ...copy, mcp_servers: [crm] } })).status).toBe(201)
    const { body: exported, headers } = await call('/agents/copy/export')
    expect(headers.get('content-disposition')).toBe('attachment; filename="copy.json"')
    expect(exported).toMatchObject({
      id: 'copy',
      system_message: 'Say $${NAME}.',
      model: { api_key: '${COPY_MODEL_API_KEY}' },
      mcp_servers: [{ credentials: { TOKEN: '${COPY_CRM_TOKEN}' } }],
    })
    const yaml = await call('/agents/copy/export', { headers: { accept: 'application/yaml' } })
    expect(yaml.headers.get('content-type')).toBe('application/yaml; charset=utf-8')
    expect(yaml.text).not.toContain('sk-')
    await remove('copy')
    // A variable is sent to no address that was given over the API, and only allowed ones are known.
    const config = structuredClone(exported)
    const refusal = async () => {
      const { status, body } = await call('/agents/import', { body: { config } })
      return [status, body.error.details.fields[0].path]
    }
    expect(await refusal()).toEqual([422, 'mcp_servers.0.credentials.TOKEN'])
    config.mcp_servers[0].credentials.TOKEN = '${CLERK_CRM_TOKEN}'
    expect(await refusal()).toEqual([422, 'model.api_key'])
    config.model.api_key = 'sk-own'
    const imported = await call('/agents/import', { body: { config } })
    expect(imported.status, imported.text).toBe(201)
    expect(imported.body).toEqual({
      id: 'copy',
      description: AGENT.description,
      created_at: expect.any(String),
      status: 'created',
      mcp_servers_connected: 0,
    })
    expect((await call('/agents/copy')).body).toMatchObject({
      system_message: 'Say ${NAME}.',
      memory: { long_term: true },
    })
    const again = await call('/agents/copy/export')
    expect(again.body).toEqual(exported)
    writeFileSync(join(stage.agentsDir, 'shared', 'copy.yaml'), yaml.text.replace('COPY_CRM_TOKEN', 'CLERK_CRM_TOKEN'))
    await remove('copy')
    const read = await call('/agents/import', { body: { config_path: 'shared/copy.yaml' } })
    expect(read.status, read.text).toBe(201)
    expect((await call('/agents/copy/export')).body).toEqual(exported)
    await remove('copy')
  })

  it(
    keeps('agents.files', 'a file below the folder of agents is imported for an admin, with its variables'),
    async () => {
      const path = 'shared/harbour.yaml'
      const { body: manager } = await call('/keys', { body: { name: 'm', scopes: ['manage'] } })
      expect((await call('/agents/import', { body: { config_path: path }, key: manager.key })).status).toBe(403)
      expect((await call('/agents/import', { body: { config_path: path } })).status).toBe(201)
      expect((await call('/agents/harbour')).body).toMatchObject({ system_message: 'Know the harbour.', source: 'api' })
      expect((await call('/agents/import', { body: { config_path: path } })).status).toBe(409)
      for (const elsewhere of ['../outside.json', 'shared/linked.json', '/etc/passwd', 'shared', 'shared/none.yaml'])
        expect((await call('/agents/import', { body: { config_path: elsewhere } })).status, elsewhere).toBe(400)
      expect(existsSync(join(stage.agentsDir, 'shared', 'linked.json'))).toBe(true)
      writeFileSync(join(stage.agentsDir, 'shared', 'wrong.yaml'), 'description: x\n')
      const wrong = await call('/agents/import', { body: { config_path: 'shared/wrong.yaml' } })
      expect([wrong.status, wrong.body.error.message]).toEqual([422, expect.stringContaining("'system_message'")])
      const named = { id: 'named', ...AGENT, description: 'Home is ${HOME}' }
      const refused = await call('/agents/import', { body: { config: named } })
      expect([refused.status, refused.body.error.details.fields[0].path]).toEqual([422, 'description'])
      expect((await call('/agents/import', { body: { config: AGENT } })).status).toBe(400)
    },
  )
})

it(keeps('agents.id-again', 'gets nothing of the deleted agent whose id it takes'), async () => {
  const made = { id: 'harvest', ...FILED }
  expect((await call('/agents', { body: made })).status).toBe(201)
  const note = { id: 'fields', description: 'Fields', source_type: 'content', content: 'Barley grows in the north.' }
  expect((await call('/agents/harvest/knowledge', { body: note })).status).toBe(201)
  await muxi.stop()
  // The deletion was interrupted after its first step.
  await stage.write([`update agents set deleted_at = updated_at where id = 'harvest'`])
  writeFileSync(join(stage.agentsDir, 'harvest.json'), JSON.stringify(FILED))
  muxi = await stage.start('all')
  expect((await call('/agents/harvest')).body).toMatchObject({ source: 'file', knowledge_sources: [] })
  expect((await call('/agents/harvest/knowledge/search?query=barley')).body.results).toEqual([])
})

// Memory in the whole product: written after a turn, whatever is killed; recalled in other conversations; read, changed and forgotten
// over the API.
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseExact } from '../../contracts/exact-json.ts'
import { workflowId } from '../../contracts/temporal.ts'
import { type EmbeddingServer, startEmbeddingServer } from '../support/embedding-server.ts'
import { type Muxi, openStage, type Stage } from '../support/stage.ts'
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

let embeddings: EmbeddingServer
let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  embeddings = await startEmbeddingServer()
  stage = await openStage({ agents, env: { ...embeddings.env, MUXI_ENGINE_SWEEP_MS: '500' } })
  muxi = await stage.start('all')
})
afterAll(async () => {
  await stage.close()
  await embeddings.close()
})

function isKnown(client: Client, id: string): Promise<boolean> {
  return client.workflow
    .getHandle(id)
    .describe()
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return false
        throw error
      },
    )
}

interface Said {
  conversation_id: string
  turn_id: string
  reply: string
}

/** A turn in a conversation of its own. */
async function say(content: string, user_id: string): Promise<Said> {
  const conversation_id = await stage.conversation(muxi.url, { agent_id: AGENT, user_id })
  const body = { content, conversation_id, user_id }
  const answer = await stage.call(muxi.url, `/api/v1/agents/${AGENT}/chat`, { body })
  expect(answer.status, answer.text).toBe(200)
  return { conversation_id, turn_id: answer.body.turn_id, reply: answer.body.agent_response.content }
}

const memoriesOf = async (user: string) =>
  (await stage.call(muxi.url, `/api/v1/agents/${AGENT}/memory?user_id=${user}`)).body.memories as {
    content: string
    role: string
  }[]
const waitingRows = () => stage.rows('select turn_id from memory_outbox')
const remembers = (user: string, count: number) =>
  expect.poll(async () => (await memoriesOf(user)).length, { timeout: 40_000 }).toBe(count)

it(
  keeps(
    'memory.killed',
    'kill -9 between the end of a turn and its memory: written once, and recalled by another conversation',
  ),
  async () => {
    embeddings.hold()
    const asked = embeddings.asked.length
    const { reply, turn_id } = await say('The spare key is under the third flower pot.', 'anna')
    expect(reply).not.toBe('')
    await expect.poll(() => embeddings.asked.length).toBeGreaterThan(asked)
    await muxi.kill()
    expect(await waitingRows()).toEqual([{ turn_id }])
    muxi = await stage.start('all')
    expect(await memoriesOf('anna')).toEqual([])
    embeddings.release()
    await remembers('anna', 2)
    expect(await waitingRows()).toEqual([])
    expect((await say('Where is the spare key?', 'anna')).reply).toContain('third flower pot')
    expect((await say('Where is the spare key?', 'eve')).reply).not.toContain('flower pot')
  },
)

it(keeps('memory.swept', 'a turn whose memory was never started is remembered by the sweeper'), async () => {
  // What others have said before is remembered in the background, by requests of its own.
  embeddings.hold()
  const { conversation_id } = await say('The boat is called Albatross.', 'bob')
  await expect.poll(() => JSON.stringify(embeddings.asked)).toContain('Albatross')
  await muxi.kill()
  const connection = await Connection.connect({ address: stage.temporal!.address })
  await new Client({ connection }).workflow.getHandle(workflowId.writeMemory(conversation_id)).terminate()
  await connection.close()
  embeddings.release()
  await stage.write([`update memory_outbox set created_at = '2026-01-01T00:00:00.000Z'`])
  muxi = await stage.start('all')
  await remembers('bob', 2)
})

it(keeps('memory.log', 'the execution log of a turn lists what was recalled and what was remembered'), async () => {
  const { turn_id } = await say('What is the boat called?', 'bob')
  const kinds = async () =>
    (await stage.call(muxi.url, `/api/v1/turns/${turn_id}/log`)).body.entries.map(({ kind }: { kind: string }) => kind)
  await expect.poll(kinds).toContain('memory_write')
  expect(await kinds()).toContain('recall')
  const rows = await stage.rows(
    `select kind, user_id, agent_id, input_tokens from model_usage where stream_id = ? order by id`,
    turn_id,
  )
  const [recalled, answered] = ['embedding', 'chat'].map((kind) => rows.find((row) => row['kind'] === kind))
  expect(recalled).toMatchObject({ user_id: 'bob', agent_id: AGENT })
  const { body: turn } = await stage.call(muxi.url, `/api/v1/turns/${turn_id}`)
  expect(turn.message.usage.input_tokens).toBe(Number(recalled!['input_tokens']) + Number(answered!['input_tokens']))
})

it(keeps('memory.routes', 'search, context memory and its provenance; another user is not found'), async () => {
  const found = await stage.call(
    muxi.url,
    `/api/v1/agents/${AGENT}/memory/search?query=third%20flower%20pot&user_id=anna&limit=3`,
  )
  expect(found.body.results[0]).toMatchObject({
    content: expect.stringContaining('third flower pot'),
    similarity: expect.any(Number),
    message_id: expect.stringMatching(/^msg_/),
  })
  const path = '/api/v1/users/anna/context_memory'
  const post = await stage.call(muxi.url, path, { body: { knowledge: { name: 'Anna', location: { city: 'Bern' } } } })
  expect([post.status, post.body]).toEqual([
    201,
    { status: 'added', user_id: 'anna', fields_added: ['name', 'location'] },
  ])
  const patch = await stage.call(muxi.url, path, {
    method: 'PATCH',
    body: { knowledge: { location: { city: 'Basel', zip: '4051' } } },
  })
  expect(patch.body).toEqual({ status: 'updated', user_id: 'anna', fields_updated: ['location.city', 'location.zip'] })
  const removed = await stage.call(muxi.url, `${path}?fields=location.zip,nothing`, { method: 'DELETE' })
  expect(removed.body).toEqual({ status: 'deleted', user_id: 'anna', fields_deleted: ['location.zip'] })
  expect((await stage.call(muxi.url, path)).body).toEqual({
    user_id: 'anna',
    knowledge: { name: 'Anna', location: { city: 'Basel' } },
    last_updated: expect.stringMatching(/^2\d{3}-/),
  })
  expect((await stage.call(muxi.url, `${path}/provenance`)).body.provenance).toMatchObject({
    name: { source: 'api' },
    'location.city': { source: 'api' },
  })
  for (const knowledge of [{ 'a.b': 1 }, { big: 'x'.repeat(20_000) }, JSON.parse('{"__proto__": {"a": 1}}')])
    expect((await stage.call(muxi.url, path, { body: { knowledge } })).status).toBe(400)
  for (const [knowledge, wrong] of [
    ['{"location": {"a,b": 1}}', 'knowledge.location'],
    ['{"balance": 1e400}', 'knowledge.balance'],
    ['{"accounts": [12345678901234567890]}', 'knowledge.accounts.0'],
    ['1e400', 'knowledge'],
  ] as const) {
    const refused = await stage.call(muxi.url, path, { body: parseExact(`{"knowledge": ${knowledge}}`) })
    expect([refused.status, refused.body.error.details.fields[0].path]).toEqual([400, wrong])
  }
  const doubles = parseExact('{"knowledge": {"share": 0.10000000000000001}}')
  expect((await stage.call(muxi.url, path, { method: 'PATCH', body: doubles })).status).toBe(200)
  expect((await stage.call(muxi.url, path)).body.knowledge).toMatchObject({ share: 0.1 })
  await stage.call(muxi.url, `${path}?fields=share`, { method: 'DELETE' })
  for (const user of ['%2E%2E%2Fanna', 'a%2Fb', '%20anna', 'a'.repeat(10_240), 'an%00na'])
    expect([400, 404, 414]).toContain((await stage.call(muxi.url, `/api/v1/users/${user}/context_memory`)).status)

  const { body: eve } = await stage.call(muxi.url, '/api/v1/keys', {
    body: { name: 'eve', scopes: ['chat', 'manage'], user_id: 'eve' },
  })
  const asEve = (route: string, method = 'GET') => stage.call(muxi.url, route, { key: eve.key ?? eve.secret, method })
  expect((await asEve('/api/v1/users/eve/context_memory')).status).toBe(200)
  for (const route of [path, `${path}/provenance`, '/api/v1/users/anna/export'])
    expect((await asEve(route)).status).toBe(404)
  expect((await asEve('/api/v1/users/anna', 'DELETE')).status).toBe(404)
  expect((await asEve(`/api/v1/agents/${AGENT}/memory?user_id=anna`)).status).toBe(403)
  expect((await asEve(`/api/v1/agents/${AGENT}/memory?user_id=anna`, 'DELETE')).status).toBe(403)
})

it(
  keeps(
    'memory.forgotten',
    'memories are cleared by agent, and a user is exported and forgotten with the engine histories',
  ),
  async () => {
    const cleared = await stage.call(muxi.url, `/api/v1/agents/${AGENT}/memory?user_id=bob`, { method: 'DELETE' })
    expect(cleared.body).toEqual({ status: 'cleared', agent_id: AGENT, user_id: 'bob' })
    expect(await memoriesOf('bob')).toEqual([])

    const { conversation_id, turn_id } = await say('My favourite cheese is Emmental.', 'anna')
    await expect.poll(waitingRows).toEqual([])
    // It brings its conversation, which is hidden.
    const brought = { model: 'offline', user: 'anna', messages: [{ role: 'user', content: 'I collect stamps.' }] }
    expect((await stage.call(muxi.url, '/v1/chat/completions', { body: brought })).status).toBe(200)
    const exported = (await stage.call(muxi.url, '/api/v1/users/anna/export')).body
    expect(exported).toMatchObject({ user_id: 'anna', context_memory: { name: 'Anna' } })
    expect(JSON.stringify(exported.conversations)).toContain('Emmental')
    expect(JSON.stringify(exported.memories)).toContain('Emmental')
    expect(JSON.stringify(exported.conversations)).toContain('stamps')
    const [, { messages }] = exported.conversations
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant'])
    expect(messages[0].turn).toMatchObject({ status: 'completed', agent_id: AGENT, tool_calls: [], approvals: [] })
    expect(exported).toMatchObject({ files: [], jobs: [] })

    const forgotten = await stage.call(muxi.url, '/api/v1/users/anna', { method: 'DELETE' })
    expect(forgotten.body, forgotten.text).toMatchObject({
      status: 'deleted',
      user_id: 'anna',
      counts: { conversations: 4 },
    })
    expect(await memoriesOf('anna')).toEqual([])
    expect((await stage.call(muxi.url, `/api/v1/conversations/${conversation_id}`)).status).toBe(404)
    expect((await stage.call(muxi.url, '/api/v1/users/anna/context_memory')).body.knowledge).toEqual({})
    const connection = await Connection.connect({ address: stage.temporal!.address })
    const client = new Client({ connection })
    for (const id of [workflowId.chatTurn(turn_id), workflowId.writeMemory(conversation_id)])
      await expect.poll(() => isKnown(client, id), { timeout: 60_000 }).toBe(false)
    await connection.close()
    expect(await stage.rows(`select id from turns where user_id = 'anna'`)).toEqual([])
    expect(await stage.rows('select turn_id from turn_requests')).toEqual([])
  },
)

// Every operation of the OpenAPI document, with another user's id in each place that can name one.
import { beforeAll, expect, it } from 'vitest'
import { newId } from '../../contracts/ids.ts'
import { type ApiDocument, foreignRequests, type ForeignRequest, type Ids } from '../support/foreign-ids.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
/** Everything that a key which is bound to a user can do. */
const keys = { anna: '', bert: '' }
let anna: Ids
let bert: Ids

/** Path parameters, and prefixes of ids, that name nothing of a user. */
const SHARED = {
  agent_id: 'offline',
  knowledge_id: 'notes',
  name: 'nobody',
  model: 'offline',
  // Only with the scope `admin`.
  key_id: newId('key'),
  key: newId('key'),
}

beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  anna = await populate('anna')
  bert = await populate('bert')
  return () => stage.close()
})

/** Makes one of each thing that a user owns. */
async function populate(user: keyof typeof keys): Promise<Ids> {
  const scopes = ['chat', 'read', 'manage']
  const { body: made } = await stage.call(muxi.url, '/api/v1/keys', { body: { name: user, scopes, user_id: user } })
  const key = (keys[user] = made.key)
  const call = async (path: string, body?: object) => {
    const { body: answer, status, text } = await stage.call(muxi.url, `/api/v1${path}`, { key, body })
    expect(status, text).toBeLessThan(300)
    return answer
  }
  const chat_id = `chat of ${user}`
  const message = { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }
  await call('/agents/offline/chat/ui', { id: chat_id, messages: [message] })
  const { conversations } = await call('/conversations')
  const conversation_id: string = conversations[0].id
  const { turn_id } = await call('/agents/offline/chat', { content: 'Hello', conversation_id })
  const { messages } = await call(`/conversations/${conversation_id}/messages?limit=2`)
  const file_id = await stage.upload(muxi.url, 'tea.txt', `${user} likes tea.`, key)
  const { id: job_id } = await call('/jobs', { kind: 'document', file_id })
  await stage.call(muxi.url, `/api/v1/jobs/${job_id}/stream`, { key })
  const upload = await fetch(`${muxi.url}/api/v1/files/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'tus-resumable': '1.0.0', 'upload-length': '5' },
  })
  expect(upload.status).toBe(201)
  const upload_id = upload.headers.get('location')!.split('/').at(-1)!
  const approval_id = newId('appr')
  await stage.write([
    `insert into approvals (id, turn_id, call_id, place, user_id, agent_id, kind, name, server, status, created_at)
     values ('${approval_id}', '${turn_id}', 'call', 'call', '${user}', 'offline', 'tool', 'x', 'x', 'waiting', '2026-01-01T00:00:00.000Z')`,
  ])
  return {
    user_id: user,
    chat_id,
    ...both('conv', 'conversation_id', conversation_id),
    ...both('turn', 'turn_id', turn_id),
    ...both('msg', 'message_id', messages[1].id),
    ...both('file', 'file_id', file_id),
    ...both('job', 'job_id', job_id),
    ...both('appr', 'approval_id', approval_id),
    upload_id,
  }
}

const both = (prefix: string, name: string, id: string) => ({ [prefix]: id, [name]: id })

async function send({ method, path, body, form }: ForeignRequest): Promise<{ status: number; text: string }> {
  if (form !== true) {
    // Without the version of their protocol, uploads are not looked for.
    const headers = path.includes('/files/uploads') ? { 'tus-resumable': '1.0.0' } : undefined
    return stage.call(muxi.url, path, { method, body, headers, key: keys.anna })
  }
  const fields = new FormData()
  const { file = '', ...texts } = body as Record<string, string>
  for (const [name, value] of Object.entries(texts)) fields.set(name, value)
  // Forms are parsed as streams: the file comes last, so that the fields are known before it.
  fields.set('file', new File([file], 'tea.txt'))
  const headers = { authorization: `Bearer ${keys.anna}` }
  const response = await fetch(`${muxi.url}${path}`, { method, headers, body: fields })
  return { status: response.status, text: await response.text() }
}

it(
  keeps(
    'refuse.owners',
    "each operation of the OpenAPI document with another user's id: 404, or 403 for the user's name",
  ),
  async () => {
    const { body } = await stage.call(muxi.url, '/openapi.json')
    const requests = foreignRequests(body as ApiDocument, bert, anna, SHARED)
    expect(requests.length).toBeGreaterThan(80)
    const faults: string[] = []
    for (const request of requests) {
      const { status, text } = await send(request)
      if (text.includes('bert likes')) faults.push(`${request.method} ${request.path}: shows what is not the caller's`)
      // The name of a chat means the caller's own chat of that name, of which nothing runs.
      const expected = request.place === 'path chat_id' ? 204 : request.namesUser ? 403 : 404
      if (status !== expected)
        faults.push(`${request.method} ${request.path} (${request.place}): ${status} ${text.slice(0, 200)}`)
    }
    expect(faults).toEqual([])
  },
)

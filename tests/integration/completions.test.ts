// Chat completions over a real database, without Temporal: the turns are ended and parked as rows.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { complete } from '../../api/openai/completions.ts'
import type { ApiContext } from '../../api/services/context.ts'
import { OpenStreams } from '../../api/services/open-streams.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listTurns } from '../../db/queries/turns.ts'
import { dialects } from '../support/dialects.ts'
import { end } from '../support/turn-rows.ts'

const MB = 2 ** 20
const log = pino({ level: 'silent' })
const principal: Principal = {
  key_id: 'key_1',
  key_hash: '',
  scopes: new Set(['chat']),
  bound_user: 'user',
  networks: undefined,
}
const limits = {
  attachments: 20,
  chat_body_bytes: MB,
  content_bytes: MB,
  turns_per_user: 10,
  turns_per_key: 10,
  user_bytes: 20 * MB,
}
const client = {
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
}

/** @param more in place of the context's own */
async function open(more: object = {}) {
  const storage = await dialects[0]!.fresh().then((database) => database.open())
  const agent = resolveAgent({ id: 'agent', description: 'Helps.', system_message: 'Help.' }, 'agent')
  await syncFileAgents(storage.db, storage.box, [{ id: 'agent', config: agent, secrets: {}, file: 'agent.yaml' }])
  const context = {
    storage,
    client,
    log,
    limits,
    vectors: storage.vectors,
    openStreams: new OpenStreams({
      limits: { streams_per_key: 10, streams: 10 },
      findValid: async () => new Set(),
      log,
    }),
    closing: new AbortController().signal,
    startTurn: async () => undefined,
    ...more,
  } as unknown as ApiContext
  const sent = (content: unknown, fields: object = {}, headers: object = {}) => ({
    principal,
    headers,
    request: new Request('http://localhost/v1/chat/completions'),
    body: { model: 'agent', messages: [{ role: 'user' as const, content: content as string }], ...fields },
  })
  const turns = async () => (await listTurns(storage.db, { limit: 10 })).toReversed()
  return { context, storage, sent, turns }
}

const code = (error: { code: string }) => error.code

it.each([false, true])('the body of a request is not kept while its turn runs, streamed: %s', async (stream) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const { context, storage, sent, turns } = await open()
  const request = sent('Hello', { stream })
  const body = new WeakRef(request.body)
  const reply = complete(context, request).then((response) => response.text())
  await expect.poll(async () => (await turns())[0]?.status).toBe('queued')
  await expect
    .poll(() => {
      gc()
      return body.deref()
    })
    .toBeUndefined()
  const [turn] = await turns()
  storage.events.publish(turn!.id, (await end(storage, turn!.id, 'cancelled'))!.events)
  expect(await reply.catch(code)).toMatch(stream ? /cancelled/ : 'conflict')
})

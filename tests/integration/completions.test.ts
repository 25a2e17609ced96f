// Chat completions over a real database, without Temporal: the turns are ended and parked as rows.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import sharp from 'sharp'
import { expect, it, onTestFinished, vi } from 'vitest'
import { complete } from '../../api/openai/completions.ts'
import type { ApiContext } from '../../api/services/context.ts'
import { Metrics } from '../../api/services/metrics.ts'
import { OpenStreams } from '../../api/services/open-streams.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { workflowId } from '../../contracts/temporal.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { setBudget } from '../../db/queries/budgets.ts'
import { countBytes, insertFile } from '../../db/queries/files.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { completeTurn } from '../../db/queries/turn-ends.ts'
import { listTurns, startEvent } from '../../db/queries/turns.ts'
import type { Addition } from '../../db/event-rows.ts'
import type { TurnsTable } from '../../db/schema.ts'
import { principal } from '../support/accepting.ts'
import { dialects } from '../support/dialects.ts'
import { end, inTx } from '../support/turn-rows.ts'

const MB = 2 ** 20
const log = pino({ level: 'silent' })
const limits = {
  attachments: 20,
  chat_body_bytes: MB,
  content_bytes: MB,
  carried_bytes: 10_000,
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
    metrics: new Metrics(),
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

const answerOf = ({ id: turn_id, conversation_id, message_id }: TurnsTable) => ({
  turn_id,
  conversation_id,
  message_id,
  usage: { input_tokens: 1, output_tokens: 1 },
  finish_reason: 'stop' as const,
})
const code = (error: { code: string }) => error.code

it('a streamed repeat after the end of its turn gets the stored reply, not what was withdrawn or decided on the way', async () => {
  const { context, storage, sent, turns } = await open()
  const headers = { 'idempotency-key': 'once' }
  const read = async () => {
    const response = await complete(context, sent('Hello', { stream: true }, headers))
    return response.text()
  }
  const first = read()
  await expect.poll(async () => (await turns())[0]?.status).toBe('queued')
  const [turn] = await turns()
  const events = [
    { type: 'content', data: { content: 'Never ' } },
    { type: 'content_reset', data: { content: '' } },
    { type: 'content', data: { content: 'After all.' } },
  ]
  const start = startEvent(turn!.id, turn!)
  const additions = [start, ...events.map((event) => ({ event }))] as Addition[]
  await storage.events.append(turn!.id, undefined, additions)
  expect(await first).toContain('"code":"content_reset"')
  await inTx(storage, (tx) => completeTurn(tx, { ...answerOf(turn!), content: 'After all.' }))
  const text = await read()
  expect(text).not.toContain('"error"')
  expect(text).toContain('"content":"After all."')
  expect(text).toContain('"finish_reason":"stop"')
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
})

it('a stream goes on after an approval that is decided', async () => {
  const { context, storage, sent, turns } = await open()
  const reading = complete(context, sent('Hello', { stream: true })).then((response) => response.text())
  await expect.poll(async () => (await turns())[0]?.status).toBe('queued')
  const [turn] = await turns()
  const decided = { event: { type: 'approval_required', data: { approval_id: 'appr_1' } } } as unknown as Addition
  await storage.events.append(turn!.id, undefined, [startEvent(turn!.id, turn!), decided])
  const { events } = (await inTx(storage, (tx) => completeTurn(tx, { ...answerOf(turn!), content: 'Done.' })))!
  storage.events.publish(turn!.id, events)
  const text = await reading
  expect(text).not.toContain('"error"')
  expect(text).toContain('"finish_reason":"stop"')
})

it('all pictures of a request that are fetched share one limit of bytes and one of time', async () => {
  let fetched = 0
  const fetch = async () => {
    const piece = new Uint8Array(100_000)
    return new Response(
      new ReadableStream({
        pull(queue) {
          fetched += piece.byteLength
          queue.enqueue(piece)
          if (fetched % 500_000 === 0) queue.close()
        },
      }),
    )
  }
  const { context, sent, turns } = await open({ mcp: { fetch } })
  const part = { type: 'image_url', image_url: { url: 'https://pictures.example/1.png' } }
  const refusal = complete(context, sent(Array.from({ length: 20 }, () => part))).catch(code)
  expect(await refusal).toBe('payload_too_large')
  expect(fetched).toBeLessThan(2 * MB)
  expect(await turns()).toEqual([])

  const timeout = vi.spyOn(AbortSignal, 'timeout')
  onTestFinished(() => timeout.mockRestore())
  fetched = 0
  expect(await complete(context, sent([part, part])).catch(code)).toBe('unsupported_media_type')
  expect(timeout).toHaveBeenCalledTimes(1)
})

it('what a request brings is bounded, without its attachments', async () => {
  const { context, sent, turns } = await open()
  const messages = Array.from({ length: 200 }, () => ({ role: 'user', content: 'A line of a long conversation' }))
  const failure = await complete(context, sent('', { messages })).catch((error: MuxiError) => error)
  expect(failure).toMatchObject({
    code: 'payload_too_large',
    message: "Cannot take the request: 'messages' and 'tools' must be at most 10000 bytes without attachments",
  })
  expect(await turns()).toEqual([])
})

it('a turn does not run whose request without Idempotency-Key was answered with 503', async () => {
  const unavailable = new MuxiError('unavailable', 'Temporal cannot be reached')
  let beforeFailing = async (_: StartableTurn): Promise<void> => undefined
  const stopped: string[] = []
  const { context, storage, sent, turns } = await open({
    startTurn: async (turn: StartableTurn) => {
      await beforeFailing(turn)
      throw unavailable
    },
    client: {
      ...client,
      workflow: { getHandle: (id: string) => ({ cancel: async () => void stopped.push(id) }) },
    },
  })
  expect(await complete(context, sent('Hello')).catch(code)).toBe('unavailable')
  const [unstarted] = await turns()
  expect([unstarted!.status, unstarted!.accepted_at]).toEqual(['failed', null])
  expect(await inTx(storage, (tx) => claimTurn(tx, unstarted!.id, 'run'))).toBeUndefined()

  // The workflow was started, and its worker was faster than the lost answer.
  beforeFailing = async ({ id }) => void (await inTx(storage, (tx) => claimTurn(tx, id, 'run')))
  expect(await complete(context, sent('Hello')).catch(code)).toBe('unavailable')
  const [, claimed] = await turns()
  expect([claimed!.status, claimed!.cancel_requested_at]).toEqual(['running', expect.any(String)])
  expect(stopped).toEqual([workflowId.chatTurn(claimed!.id)])

  // Under a key, the repeated request gets the same turn.
  expect(await complete(context, sent('Hello', {}, { 'idempotency-key': 'once' })).catch(code)).toBe('unavailable')
  expect((await turns())[2]).toMatchObject({ status: 'running', cancel_requested_at: null })
})

it('a picture that is sent with each request is one file, and counted once', async () => {
  const { context, storage, sent, turns } = await open({ limits: { ...limits, user_bytes: 100 } })
  const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'blue' } })
    .png()
    .toBuffer()
  const part = { type: 'image_url', image_url: { url: `data:image/png;base64,${png.toString('base64')}` } }
  for (const n of [1, 2, 3]) {
    const reply = complete(context, sent([part, part]))
    await expect.poll(async () => (await turns())[n - 1]?.status).toBe('queued')
    const { id } = (await turns())[n - 1]!
    storage.events.publish(id, (await end(storage, id, 'cancelled'))!.events)
    expect(await reply.catch(code)).toBe('conflict')
  }
  expect(await storage.db.selectFrom('files').select('size').execute()).toEqual([{ size: png.byteLength }])
  const [file] = await storage.db.selectFrom('files').selectAll().execute()
  await insertFile(storage.db, {
    user_id: 'user',
    key_id: null,
    name: 'n',
    type: 'image/png',
    size: file!.size,
    sha256: file!.sha256,
  })
  expect(await countBytes(storage.db, 'user')).toBe(png.byteLength)
})

it('without a budget nothing is fetched', async () => {
  const fetch = vi.fn<() => Promise<Response>>()
  const { context, storage, sent } = await open({ mcp: { fetch } })
  await setBudget(storage.db, { kind: 'user', id: 'user' }, { daily_tokens: 0, daily_cost_usd: null })
  const part = { type: 'image_url', image_url: { url: 'https://pictures.example/1.png' } }
  expect(await complete(context, sent([part])).catch(code)).toBe('budget_exceeded')
  expect(fetch).not.toHaveBeenCalled()
})

it('a user with as many turns as may run at once gets nothing fetched', async () => {
  const fetch = vi.fn<() => Promise<Response>>()
  const { context, storage, sent, turns } = await open({ mcp: { fetch }, limits: { ...limits, turns_per_user: 1 } })
  const running = complete(context, sent('Hello')).then((response) => response.text())
  await expect.poll(async () => (await turns())[0]?.status).toBe('queued')
  const part = { type: 'image_url', image_url: { url: 'https://pictures.example/1.png' } }
  expect(await complete(context, sent([part])).catch(code)).toBe('rate_limited')
  expect(fetch).not.toHaveBeenCalled()
  const [turn] = await turns()
  storage.events.publish(turn!.id, (await end(storage, turn!.id, 'cancelled'))!.events)
  expect(await running.catch(code)).toBe('conflict')
})

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

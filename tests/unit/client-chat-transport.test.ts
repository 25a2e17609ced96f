// The transport for useChat over a `fetch` of the test: what stopping and resuming send, its headers, and its keys.
import { getEventListeners } from 'node:events'
import { beforeEach, expect, it, vi } from 'vitest'
import { MuxiChatTransport } from '../../client/chat-transport.ts'
import { Http } from '../../client/http.ts'
import { turnFrames } from '../support/scripted-stream.ts'

let requests: { path: string; headers: Headers }[] = []
let mayBegin = true
const [ACCEPTED = ''] = turnFrames()
const running = {
  id: 'msg_1',
  role: 'user',
  turn_id: 'turn_1',
  turn: { status: 'running' },
  content: 'x',
  attachments: [],
}

/** A server whose turns run on until they are cancelled. */
const fetch = async (url: string, { method, headers }: RequestInit) => {
  const path = `${method} ${url.replace('http://muxi/api/v1', '').replace(/\?.*/, '')}`
  requests.push({ path, headers: new Headers(headers) })
  if (path === 'POST /conversations') return Response.json({ id: 'conv_1' })
  if (path === 'GET /conversations') return Response.json({ conversations: [{ id: 'conv_1' }] })
  if (path.endsWith('/messages')) return Response.json({ messages: [running] })
  if (!path.endsWith('/stream')) return Response.json({})
  if (!mayBegin) return Response.json({ error: { code: 'forbidden', message: 'No' } }, { status: 403 })
  return new Response(
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(ACCEPTED)),
    }),
  )
}
const transport = () => new MuxiChatTransport({ http: new Http({ serverUrl: 'http://muxi', fetch }) })
const asked = (id: string, chatId = 'chat', more: object = {}) => ({
  chatId,
  trigger: 'submit-message' as const,
  messageId: undefined,
  messages: [{ id, role: 'user' as const, parts: [{ type: 'text', text: 'Hello' }] }],
  ...more,
})
const pathsOf = () => requests.map(({ path }) => path)

beforeEach(() => {
  requests = []
  mayBegin = true
})

it('stops a turn also when another message follows at once', async () => {
  const chat = transport()
  const call = new AbortController()
  const first = await chat.sendMessages(asked('1', 'chat', { abortSignal: call.signal }))
  void first.getReader().read()
  await vi.waitFor(() => expect(pathsOf()).toContain('POST /chat/stream'))
  call.abort()
  await chat.sendMessages(asked('2'))
  await vi.waitFor(() => expect(pathsOf()).toContain('POST /turns/turn_1/cancel'))
})

it('leaves a turn running that is resumed at once', async () => {
  const chat = transport()
  const call = new AbortController()
  const { signal: abortSignal } = call
  const first = (await chat.reconnectToStream({ chatId: 'chat', abortSignal }))!
  void first.getReader().read()
  await vi.waitFor(() => expect(pathsOf()).toContain('GET /turns/turn_1/stream'))
  call.abort()
  const second = (await chat.reconnectToStream({ chatId: 'chat' }))!
  void second.getReader().read()
  await vi.waitFor(() => expect(pathsOf().filter((path) => path.endsWith('turn_1/stream'))).toHaveLength(2))
  await new Promise((resolve) => setTimeout(resolve))
  expect(pathsOf()).not.toContain('POST /turns/turn_1/cancel')
})

it('sends the headers of a call with each of its requests before the stream', async () => {
  const headers = { 'X-Tenant': 'tea' }
  await transport().reconnectToStream({ chatId: 'chat', headers })
  await transport().sendMessages({ ...asked('1', 'chat', { headers }), trigger: 'regenerate-message' })
  expect(pathsOf()).toContain('GET /conversations/conv_1/messages')
  expect(requests.map((each) => each.headers.get('x-tenant'))).toEqual(requests.map(() => 'tea'))
})

it('takes ids of any characters and length, and keeps the keys of messages apart', async () => {
  const long = 'm'.repeat(300)
  const ids = ['茶', 'é', `${long}1`, `${long}2`, `1${long}`, `2${long}`, '茶']
  const chat = transport()
  for (const id of ids) await (await chat.sendMessages(asked(id, '会話 🍵'))).cancel()
  await vi.waitFor(() => expect(pathsOf().filter((path) => path === 'POST /chat/stream')).toHaveLength(ids.length))
  const sent = requests.filter(({ path }) => path === 'POST /chat/stream')
  const keys = sent.map((each) => each.headers.get('idempotency-key') ?? '')
  expect(keys.filter((key) => key.length > 255)).toEqual([])
  expect(keys.at(-1)).toBe(keys[0])
  expect(new Set(keys).size).toBe(ids.length - 1)
})

it('does not listen to the signal of a call whose stream has failed', async () => {
  mayBegin = false
  const { signal } = new AbortController()
  const stream = await transport().sendMessages(asked('1', 'chat', { abortSignal: signal }))
  await expect(stream.getReader().read()).rejects.toMatchObject({ code: 'forbidden' })
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

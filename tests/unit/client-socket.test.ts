// The socket of the client over one in memory: what it sends when, what it keeps, and when it connects again.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Http } from '../../client/http.ts'
import { MuxiSocket } from '../../client/socket/socket.ts'
import type { SocketTiming } from '../../client/socket/socket-connection.ts'
import type { SocketLike } from '../../client/socket/socket-like.ts'

interface Frame {
  type: string
  id: string
  data: Record<string, unknown>
}
interface Heard {
  data: unknown
  code: number
  reason: string
}

class MemorySocket implements SocketLike {
  static made: MemorySocket[] = []
  bufferedAmount = 0
  readonly url: string
  readonly init: object | undefined
  readonly sent: Frame[] = []
  readonly #listeners = new Map<string, (event: Heard) => void>()

  constructor(url: string, init?: object) {
    this.url = url
    this.init = init
    MemorySocket.made.push(this)
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame)
  }

  close(code = 1000): void {
    this.emit('close', { code })
  }

  addEventListener(type: string, listener: (event: Heard) => void): void {
    this.#listeners.set(type, listener)
  }

  emit(type: string, event: Partial<Heard> = {}): void {
    this.#listeners.get(type)?.({ data: '', code: 0, reason: '', ...event })
  }

  says(id: string, type: string, data: object): void {
    this.emit('message', { data: JSON.stringify({ type, id, data }) })
  }
}

const fetched: string[] = []
const fetch = async (url: string) => {
  fetched.push(url)
  return Response.json({ ticket: 'once' })
}
const open = (timing?: Partial<SocketTiming>) =>
  new MuxiSocket(new Http({ serverUrl: 'http://muxi', apiKey: 'sk_muxi_key', fetch, WebSocket: MemorySocket }), timing)
/** The latest connection, once there have been so many. */
async function connection(count: number): Promise<MemorySocket> {
  await vi.waitFor(() => expect(MemorySocket.made.length).toBe(count))
  return MemorySocket.made.at(-1)!
}
const accepted = { turn_id: 'turn_1', conversation_id: 'conv_1', message_id: 'msg_1', event_id: 1 }

beforeEach(() => {
  MemorySocket.made = []
  fetched.length = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('sends a message again under its key until it is accepted, and then resumes its turn', async () => {
  const turn = open().sendMessage('Hello', { agentName: 'tea', idempotencyKey: 'key' })
  const text = turn.text()
  const first = await connection(1)
  expect(first).toMatchObject({
    url: 'ws://muxi/api/v1/ws',
    init: { headers: { authorization: 'Bearer sk_muxi_key' } },
  })
  expect(first.sent).toEqual([])
  first.emit('open')
  const asked = { type: 'chat', data: { content: 'Hello', agent_id: 'tea', idempotency_key: 'key' } }
  expect(first.sent).toMatchObject([asked])
  first.emit('close', { code: 1006 })
  await vi.advanceTimersByTimeAsync(1_000)
  const second = await connection(2)
  second.emit('open')
  expect(second.sent).toMatchObject([asked])
  second.says(second.sent[0]!.id, 'accepted', accepted)
  second.says(second.sent[0]!.id, 'chat_content', { content: 'Hi', step: 1, event_id: 2 })
  second.emit('close', { code: 1013 })
  const third = await connection(3)
  third.emit('open')
  expect(third.sent).toMatchObject([{ type: 'resume', data: { turn_id: 'turn_1', after: 2 } }])
  const { id } = third.sent[0]!
  third.says(id, 'chat_content', { content: 'Hi', step: 1, event_id: 2 })
  third.says(id, 'chat_content', { content: '!', step: 1, event_id: 3 })
  third.says(id, 'chat_end', { id: 'msg_1', usage: {}, event_id: 4 })
  expect(await text).toBe('Hi!')
})

it('keeps a part of what a slow reader has not read, and asks for the rest when it has', async () => {
  const turn = open().sendMessage('Hello')
  const socket = await connection(1)
  socket.emit('open')
  const { id } = socket.sent[0]!
  const piece = 'x'.repeat(2 ** 17)
  socket.says(id, 'accepted', accepted)
  for (let event_id = 2; event_id <= 41; event_id += 1)
    socket.says(id, 'chat_content', { content: piece, step: 1, event_id })
  const text = turn.text()
  await vi.waitFor(() => expect(socket.sent.length).toBe(2))
  const [, resumed] = socket.sent
  expect(resumed).toMatchObject({ type: 'resume', data: { turn_id: 'turn_1' } })
  const after = Number(resumed!.data['after'])
  expect(after).toBeLessThan(20)
  for (let event_id = after + 1; event_id <= 41; event_id += 1) {
    socket.says(id, 'chat_content', { content: 'of the request before', step: 1, event_id })
    socket.says(socket.sent.at(-1)!.id, 'chat_content', { content: piece, step: 1, event_id })
    await vi.advanceTimersByTimeAsync(0)
  }
  await vi.waitFor(() => expect(turn.message.text.length).toBeGreaterThan(20 * piece.length))
  socket.says(socket.sent.at(-1)!.id, 'chat_end', { id: 'msg_1', usage: {}, event_id: 42 })
  expect(await text).toBe(piece.repeat(40))
})

it('sends no further request while the socket holds unsent bytes, and refuses when too much waits', async () => {
  const socket = open()
  void socket.ping().catch(() => undefined)
  const made = await connection(1)
  made.bufferedAmount = 2 ** 21
  made.emit('open')
  expect(made.sent).toEqual([])
  made.bufferedAmount = 0
  await vi.advanceTimersByTimeAsync(50)
  expect(made.sent.map(({ type }) => type)).toEqual(['ping'])
  const pings = Array.from({ length: 2_100 }, () => socket.ping().catch((error: Error) => error.name))
  await vi.waitFor(() => expect(made.sent.length).toBe(180))
  expect(await Promise.race(pings.slice(-1))).toBe('RateLimitedError')
})

it('asks for a ticket where headers do not authenticate, and leaves a server alone that has too many', async () => {
  const socket = open()
  const done = socket.ping()
  const first = await connection(1)
  first.emit('open')
  first.emit('close', { code: 4401 })
  const second = await connection(2)
  expect(fetched).toEqual(['http://muxi/api/v1/ws/tickets'])
  expect(second).toMatchObject({ url: 'ws://muxi/api/v1/ws?ticket=once', init: undefined })
  second.emit('open')
  second.emit('close', { code: 4429 })
  await vi.advanceTimersByTimeAsync(59_000)
  expect(MemorySocket.made.length).toBe(2)
  await vi.advanceTimersByTimeAsync(1_000)
  const third = await connection(3)
  third.emit('open')
  third.says(third.sent[0]!.id, 'error', { code: 'rate_limited', message: 'Later', details: { retry_after_s: 2 } })
  await vi.advanceTimersByTimeAsync(1_900)
  expect(third.sent.length).toBe(1)
  await vi.advanceTimersByTimeAsync(100)
  expect(third.sent.length).toBe(2)
  third.says(third.sent[1]!.id, 'pong', {})
  await done
  await socket.close()
  expect(vi.getTimerCount()).toBe(0)
})

it('says where a turn and a job go on when the connection is lost permanently', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const socket = open({ attempts: 1 })
  const turn = socket.resume('turn_1').text()
  const job = socket.followJob('job_1').result()
  const failures = Promise.all([turn, job].map((each) => each.catch((error: unknown) => error)))
  const first = await connection(1)
  first.emit('open')
  const asked = first.sent.find(({ data }) => data['turn_id'] === 'turn_1')
  first.says(asked!.id, 'chat_content', { content: 'Hi', step: 1, event_id: 1 })
  first.emit('close', { code: 1006 })
  for (const count of [2, 3]) (await connection(count)).emit('close', { code: 1006 })
  const lost = { code: 'connection_lost', cause: { code: 'connection_lost' } }
  expect(await failures).toMatchObject([
    { ...lost, turnId: 'turn_1', lastEventId: 1 },
    { ...lost, jobId: 'job_1', lastEventId: 0 },
  ])
})

it('does not wait for an hour when the server asks for that', async () => {
  const fetch = async () =>
    Response.json(
      { error: { code: 'unavailable', message: 'Later' } },
      { status: 503, headers: { 'retry-after': '3600' } },
    )
  const http = new Http({ serverUrl: 'http://muxi', apiKey: 'sk_muxi_key', fetch, WebSocket: MemorySocket })
  const failed = new MuxiSocket(http).ping().catch((error: unknown) => error)
  const first = await connection(1)
  first.emit('close', { code: 4401 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await failed).toMatchObject({ code: 'unavailable', retryAfterMs: 3_600_000 })
})

it('counts the refusals of a request since its last event only', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const turn = open().resume('turn_1')
  const text = turn.text()
  const socket = await connection(1)
  socket.emit('open')
  const { id } = socket.sent[0]!
  for (let event_id = 1; event_id <= 12; event_id += 1) {
    socket.says(id, 'chat_content', { content: '.', step: 1, event_id })
    socket.says(id, 'error', { code: 'unavailable', message: 'Later' })
    await vi.advanceTimersByTimeAsync(1)
  }
  socket.says(id, 'chat_end', { id: 'msg_1', usage: {}, event_id: 13 })
  expect(await text).toBe('.'.repeat(12))
})

it('asks for another ticket when the request for one stalls', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  let asked = 0
  const stalls = (_: string, { signal }: RequestInit) => {
    asked += 1
    return new Promise<Response>((_resolve, reject) => {
      signal!.addEventListener('abort', () => reject(signal!.reason as Error))
    })
  }
  class PageSocket extends MemorySocket {
    constructor(url: string, init?: object) {
      if (init) throw new TypeError('It takes protocols')
      super(url)
    }
  }
  const http = new Http({ serverUrl: 'http://muxi', apiKey: 'sk_muxi_key', fetch: stalls, WebSocket: PageSocket })
  const socket = new MuxiSocket(http)
  const failed = socket.ping().catch((error: Error) => error.name)
  await vi.waitFor(() => expect(asked).toBe(1))
  await vi.advanceTimersByTimeAsync(35_000)
  expect(asked).toBe(2)
  const closed = socket.close()
  await vi.advanceTimersByTimeAsync(10_000)
  await closed
  expect(await failed).toBe('ConnectionLostError')
})

it('gives up a connection that is silent for 35 s although it was asked for a sign of life', async () => {
  const turn = open().resume('turn_1')
  const events = turn[Symbol.asyncIterator]()
  void events.next()
  const first = await connection(1)
  first.emit('open')
  await vi.advanceTimersByTimeAsync(34_000)
  expect(first.sent.map(({ type }) => type)).toEqual(['resume', 'ping', 'ping'])
  expect(MemorySocket.made.length).toBe(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(MemorySocket.made.length).toBe(2)
})

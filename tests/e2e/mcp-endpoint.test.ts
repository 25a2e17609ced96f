// /mcp: our agents as tools, for the client of the SDK, for the conformance suite, and for clients that come and go.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type Progress, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { CONFORMING, conformingScenarios } from '../support/conformance.ts'
import { HeldReply } from '../support/held-reply.ts'
import { HANG } from '../support/scripted-model.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
let other: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  other = await stage.start('api')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

interface Output {
  status: string
  reply: string
  agent_id: string
  turn_id: string
  conversation_id: string
}

async function connect(url: string, key = stage.key): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
    reconnectionOptions: {
      initialReconnectionDelay: 200,
      maxReconnectionDelay: 500,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 100,
    },
  })
  await client.connect(transport)
  onTestFinished(() => client.close())
  return client
}

async function call(client: Client, content: string, options: Parameters<Client['callTool']>[2] = {}) {
  const arguments_ = { content, conversation_id: await stage.conversation(muxi.url) }
  const result = await client.callTool({ name: 'scripted', arguments: arguments_ }, undefined, options)
  return { result, output: result.structuredContent as unknown as Output, arguments_ }
}

it(keeps('mcp-out.call', 'with the text so far and the tool calls on the way'), async () => {
  const client = await connect(muxi.url)
  expect(client.getServerVersion()).toMatchObject({ name: 'muxi' })
  const { tools } = await client.listTools()
  expect(tools.map(({ name, description }) => [name, description])).toEqual([
    ['offline', 'Needs no model.'],
    ['scripted', 'Says what a test scripted.'],
  ])
  const reply = manyWords('word', 40)
  const held = new HeldReply()
  const cue = stage.model.script(
    { say: 'Let me count. ', call: [{ name: 'count', arguments: { label: 'for a client', ms: 10 } }] },
    { say: reply, held },
  )
  const told: Progress[] = []
  const onprogress = (progress: Progress) => {
    told.push(progress)
    if (progress.message?.includes('word-')) held.release()
  }
  const { result, output, arguments_ } = await call(client, cue, { onprogress })
  expect(result.isError).toBeUndefined()
  expect(output).toMatchObject({
    status: 'completed',
    reply: `Let me count. \n\n${reply}`,
    agent_id: 'scripted',
    conversation_id: arguments_.conversation_id,
    usage: { output_tokens: expect.any(Number) },
  })
  expect(result.content).toEqual([{ type: 'text', text: output.reply }])
  expect((await stage.turn(muxi.url, output.turn_id)).message.agent_response.content).toBe(output.reply)
  const words = told.map(({ message }) => message ?? '')
  expect(words).toEqual(expect.arrayContaining(['calls count (test)', 'count (test) has answered']))
  const texts = words.filter((text) => text.includes('word-'))
  expect(texts).not.toEqual([])
  for (const text of texts) expect(output.reply.startsWith(text)).toBe(true)
  const numbers = told.map(({ progress }) => progress)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((one, next) => one - next))
})

it(keeps('mcp-out.call', 'a turn that fails is a result that says so, and names the turn'), async () => {
  const client = await connect(muxi.url)
  const { result, output } = await call(client, stage.model.script({ fail: 401, words: 'no such key' }))
  expect(result.isError).toBe(true)
  expect(output).toMatchObject({ status: 'failed', reply: '', error: { code: 'upstream_error' } })
  expect((await stage.turn(muxi.url, output.turn_id)).status).toBe('failed')
})

it(keeps('mcp-out.cancel', 'when the caller gives up'), async () => {
  const client = await connect(muxi.url)
  const cue = stage.model.script({ say: manyWords('word', 40), held: new HeldReply() })
  const giveUp = new AbortController()
  const calling = call(client, cue, { signal: giveUp.signal, onprogress: () => giveUp.abort('enough') })
  await expect(calling).rejects.toThrow('enough')
  await expect.poll(() => statusOf(cue)).toBe('cancelled')
})

it(keeps('mcp-out.cancel', 'told to another process, and before the model has answered'), async () => {
  const client = await RawClient.connect(muxi.url)
  const cue = stage.model.script(HANG)
  const stream = client.post(await toolCall('first', cue))
  await expect.poll(() => statusOf(cue)).toBe('running')
  client.url = other.url
  const { status } = await client.send({
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: { requestId: 'first' },
  })
  expect(status).toBe(202)
  expect(await statusOf(cue)).toBe('cancelled')
  expect((await (await stream).rest()).at(-1)).toMatchObject({ id: 'first', result: { isError: true } })
})

it(keeps('mcp-out.resume', 'after any event, and after none'), async () => {
  const client = await RawClient.connect(muxi.url)
  const reply = manyWords('word', 60)
  const held = new HeldReply()
  const cue = stage.model.script({ say: reply, held })
  const request = await toolCall(7, cue)
  const first = await client.post(request)
  await expect.poll(() => first.events.length).toBeGreaterThan(1)
  first.cut()
  held.release()
  const [primed, ...told] = first.events
  expect(primed).toMatchObject({ data: '', id: expect.any(String) })
  client.url = other.url
  const all = await (await client.resume(primed!.id!)).rest()
  expect(all.at(-1)).toMatchObject({ id: 7, result: { structuredContent: { status: 'completed', reply } } })
  const after = told.at(-1)!
  const later = await (await client.resume(after.id!)).rest()
  expect(later.at(-1)).toEqual(all.at(-1))
  const progressOf = (messages: Message[]) => messages.flatMap(({ params }) => params?.progress ?? [])
  expect(Math.min(...progressOf(later), Infinity)).toBeGreaterThan(progressOf([JSON.parse(after.data)])[0]!)
  // The same call once more, of a client that is not sure: the same turn.
  const again = await (await client.post(request)).rest()
  expect(again.at(-1)).toEqual(all.at(-1))
  expect(stage.model.requests(cue)).toHaveLength(1)
})

it(keeps('mcp-out.killed', 'at the same address'), async () => {
  const api = await stage.start('api')
  const client = await connect(api.url)
  const reply = manyWords('word', 60)
  const held = new HeldReply()
  const cue = stage.model.script({ say: reply, held })
  const seen = Promise.withResolvers<void>()
  const calling = call(client, cue, { onprogress: () => seen.resolve() })
  await seen.promise
  await api.kill()
  await stage.start('api', { port: Number(new URL(api.url).port) })
  held.release()
  const { output } = await calling
  expect(output).toMatchObject({ status: 'completed', reply })
  expect(stage.model.requests(cue)).toHaveLength(1)
})

it(keeps('mcp-out.refused', 'and another session is begun'), async () => {
  const make = async (fields: object) =>
    (await stage.call(muxi.url, '/api/v1/keys', { body: { name: 'a key', ...fields } })).body
  const bound = await make({ scopes: ['chat'], user_id: 'anna' })
  const reader = await make({ scopes: ['read'] })
  const client = await RawClient.connect(muxi.url)
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  expect(await client.send(ping)).toMatchObject({ status: 200, body: { result: {} } })
  expect(await client.send(ping, { authorization: '' })).toMatchObject({
    status: 401,
    headers: expect.toSatisfy((headers: Headers) => headers.get('www-authenticate') === 'Bearer'),
  })
  expect((await client.send(ping, { authorization: `Bearer ${reader.key}` })).status).toBe(403)
  expect((await client.send(ping, { origin: 'https://evil.example' })).status).toBe(403)
  // The session of another key.
  expect((await client.send(ping, { authorization: `Bearer ${bound.key}` })).status).toBe(404)
  expect((await client.send(ping, { 'mcp-session-id': 'nonsense' })).status).toBe(404)
  expect((await client.send(ping, { 'mcp-protocol-version': '1999-01-01' })).status).toBe(400)
  expect((await client.send([ping])).body.error.message).toMatch(/no batches/)
  expect((await client.send({ hello: 'there' })).body.error.code).toBe('bad_request')
  expect(await client.resume('nonsense').catch(String)).toMatch(/400.*Last-Event-ID/)
  expect((await client.send({ ...ping, method: 'resources/list' })).body.error.code).toBe(-32601)
  const page = { ...ping, method: 'tools/list', params: { cursor: 'zzz' } }
  expect(await client.send(page)).toMatchObject({ status: 200, body: { id: 1, error: { code: -32602 } } })
  for (const [body, code] of [
    ['{"jsonrpc": "2.0", ', -32700],
    [new Uint8Array([0x22, 0xff, 0x22]), -32700],
    ['[1,', -32700],
  ] as const)
    expect(await client.sendRaw(body)).toEqual([
      400,
      { jsonrpc: '2.0', id: null, error: { code, message: expect.stringContaining('Cannot read the request') } },
    ])
  for (const [accept, status] of [
    ['*/*', 200],
    ['application/*, text/*;q=0.5', 200],
    ['Application/JSON, text/event-stream; q=1', 200],
    ['application/json', 400],
    ['*/*;q=0', 400],
  ] as const)
    expect([accept, (await client.send(ping, { accept })).status]).toEqual([accept, status])
  const unknown = { ...ping, method: 'tools/call', params: { name: 'nobody', arguments: { content: 'Hello' } } }
  expect((await client.send(unknown)).body).toMatchObject({ id: 1, error: { code: -32602 } })
  expect((await client.send({ ...unknown, id: 'x'.repeat(200), params: { name: 'offline' } })).body.error.code).toBe(
    -32600,
  )
  const wrong = await (
    await client.post({ ...unknown, id: 2, params: { name: 'offline', arguments: { text: 'Hello' } } })
  ).rest()
  expect(wrong.at(-1)).toMatchObject({
    id: 2,
    result: { isError: true, content: [{ text: expect.stringMatching(/'content' must be given/) }] },
  })
  const annas = await connect(muxi.url, bound.key)
  const { tools } = await annas.listTools()
  expect(Object.keys(tools[0]!.inputSchema.properties!)).toEqual(['content', 'conversation_id'])
  const refused = await annas.callTool({ name: 'offline', arguments: { content: 'Hello', user_id: 'bert' } })
  expect(refused).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/'user_id' must be left out/) }],
  })
  const theirs = await stage.conversation(muxi.url, { agent_id: 'offline', user_id: 'bert' })
  const foreign = await annas.callTool({ name: 'offline', arguments: { content: 'Hello', conversation_id: theirs } })
  expect(foreign).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/not_found/) }] })
  const allowed = await annas.callTool({ name: 'offline', arguments: { content: 'Hello' } })
  const { turn_id } = allowed.structuredContent as unknown as Output
  expect(await stage.turn(muxi.url, turn_id)).toMatchObject({ user_id: 'anna', status: 'completed' })
})

it(keeps('mcp-out.changed', 'also when another process has changed them'), async () => {
  const client = await connect(muxi.url)
  const changed = Promise.withResolvers<void>()
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => changed.resolve())
  const agent = {
    id: 'newcomer',
    description: 'Is new.',
    system_message: 'You are new.',
    model: { provider: 'offline', model: 'offline' },
  }
  expect((await stage.call(other.url, '/api/v1/agents', { body: agent })).status).toBe(201)
  await changed.promise
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('newcomer')
})

it(keeps('mcp-out.conformance', 'and those that do not apply fail as they must'), async () => {
  const open = await stage.start('api', { env: { MUXI_API_KEY: 'false' } })
  expect(await conformingScenarios(`${open.url}/mcp`)).toEqual(CONFORMING)
})

async function statusOf(cue: string): Promise<unknown> {
  const [row] = await stage.rows(
    'select status from turns where user_message_id = (select id from messages where content = ?)',
    cue,
  )
  return row?.['status']
}

async function toolCall(id: number | string, content: string) {
  const conversation_id = await stage.conversation(muxi.url)
  const params = {
    name: 'scripted',
    arguments: { content, conversation_id },
    _meta: { progressToken: `token of ${id}` },
  }
  return { jsonrpc: '2.0', id, method: 'tools/call', params }
}

interface Message {
  id?: number | string
  params?: { progress?: number }
  result?: object
}

/** A client in the protocol's own words, which can be cut anywhere and go on anywhere. */
class RawClient {
  url: string
  readonly #session: string

  private constructor(url: string, session: string) {
    this.url = url
    this.#session = session
  }

  static async connect(url: string): Promise<RawClient> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
    const unknown = new RawClient(url, '')
    const { headers } = await unknown.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
    return new RawClient(url, headers.get('mcp-session-id') ?? '')
  }

  send(body: unknown, headers: Record<string, string> = {}) {
    return stage.call(this.url, '/mcp', { body, headers: { ...this.#headers(), ...headers } })
  }

  async sendRaw(body: string | Uint8Array<ArrayBuffer>): Promise<[status: number, answer: unknown]> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' }
    const response = await fetch(`${this.url}/mcp`, { method: 'POST', headers, body })
    return [response.status, await response.json()]
  }

  post(body: unknown): Promise<RawStream> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' }
    return RawStream.open(`${this.url}/mcp`, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  resume(id: string): Promise<RawStream> {
    return RawStream.open(`${this.url}/mcp`, { headers: { ...this.#headers(), 'last-event-id': id } })
  }

  #headers(): Record<string, string> {
    return {
      authorization: `Bearer ${stage.key}`,
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(this.#session !== '' && { 'mcp-session-id': this.#session }),
    }
  }
}

class RawStream {
  readonly events: EventSourceMessage[] = []
  readonly #ended: Promise<void>
  readonly #abort: AbortController

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort
    this.#ended = this.#read(response).catch(() => {})
  }

  static async open(url: string, init: RequestInit): Promise<RawStream> {
    const abort = new AbortController()
    const response = await fetch(url, { ...init, signal: abort.signal })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return new RawStream(response, abort)
  }

  cut(): void {
    this.#abort.abort()
  }

  /** All its messages, once it has ended. */
  async rest(): Promise<Message[]> {
    await this.#ended
    return this.events.filter(({ data }) => data !== '').map(({ data }) => JSON.parse(data) as Message)
  }

  async #read(response: Response): Promise<void> {
    const parser = createParser({ onEvent: (event) => this.events.push(event) })
    const decoder = new TextDecoder()
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      parser.feed(decoder.decode(chunk, { stream: true }))
  }
}

// The socket of the client, with a server that restarts, connections that break, and readers that leave.
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Muxi as App, muxi } from '../../client/index.ts'
import { MuxiSocket } from '../../client/socket/socket.ts'
import type { SocketTiming } from '../../client/socket/socket-connection.ts'
import type { Turn, TurnEvent } from '../../client/turns/turn.ts'
import { keeps } from '../e2e/requirements.ts'
import { startChild } from '../support/children.ts'
import { HeldReply } from '../support/held-reply.ts'
import { LONG } from '../support/long.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { SocketProxy } from '../support/socket-proxy.ts'
import { type Muxi, openStage, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const TURNS = LONG ? 100 : 40

let stage: Stage
let server: Muxi
let proxy: SocketProxy
let image: string
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE } })
  ;[server] = await Promise.all([stage.start('api'), stage.start('worker')])
  proxy = await SocketProxy.start(server.url)
  image = join(stage.folder, 'image.png')
  writeFileSync(image, PNG)
  const faulty = { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] }
  const { status, text } = await stage.call(server.url, '/api/v1/agents/scripted/mcp_servers', { body: faulty })
  if (status !== 201) throw new Error(text)
  return async () => {
    await proxy.stop()
    await stage.close()
  }
})

let app: App
let made: ReturnType<SocketProxy['constructorOf']>['made']
beforeEach(() => {
  const { WebSocket, made: all } = proxy.constructorOf()
  made = all
  app = muxi({ serverUrl: server.url, apiKey: stage.key, WebSocket })
  proxy.passes = () => true
  proxy.asked.length = 0
  proxy.urls.length = 0
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const openSocket = (timing?: Partial<SocketTiming>) => new MuxiSocket(app.http, timing)
/** Says a scripted reply of which the first words are there. */
async function heldTurn(
  socket: MuxiSocket,
): Promise<{ turn: Turn; held: HeldReply; reply: string; events: Promise<TurnEvent[]> }> {
  const held = new HeldReply()
  const reply = manyWords('word', 60)
  const turn = socket.sendMessage(stage.model.script({ say: reply, held }), { agentName: 'scripted' })
  const begun = Promise.withResolvers<void>()
  const read = async () => {
    const events: TurnEvent[] = []
    for await (const event of turn) {
      events.push(event)
      if (event.type === 'content') begun.resolve()
    }
    return events
  }
  const events = read()
  events.catch((error: unknown) => begun.reject(error as Error))
  await begun.promise
  return { turn, held, reply, events }
}

/** Each event once, in order, and together the reply. */
function expectWhole(events: readonly TurnEvent[], reply: string): void {
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1))
  expect(events.join('')).toBe(reply)
  expect(events.at(-1)?.type).toBe('message_end')
}

it(keeps('client.socket', 'a message with an image, as in the plan'), async () => {
  const socket = app.open_socket()
  expect(made).toEqual([])
  const large = Buffer.concat([PNG, Buffer.alloc(300_000)])
  const cue = stage.model.script({ say: 'A dot.' })
  const turn = socket.send_message(cue, {
    agent_name: 'scripted',
    images: [image, new Blob([large], { type: 'image/png' })],
  })
  expect(await turn.text()).toBe('A dot.')
  expect(turn.message).toMatchObject({ status: 'completed', agent_id: 'scripted' })
  const [frame] = proxy.asked
  const [inline, uploaded] = frame!.data['attachments'] as Record<string, unknown>[]
  expect(inline).toEqual({ type: 'application/octet-stream', name: 'image.png', data: PNG.toString('base64') })
  expect(uploaded).toMatchObject({ type: 'image/png', file_id: expect.stringMatching(/^file_/) })
  const { message } = await stage.turn(server.url, turn.id!)
  expect(message.user_message.attachments).toMatchObject([{ type: 'image' }, { type: 'image', size: large.byteLength }])
  await socket.close()
  expect(made.map(({ readyState }) => readyState)).toEqual([3])
  expect(proxy.urls.join('')).not.toContain(stage.key)
})

it(keeps('client.socket', `${TURNS} turns and changes at once on one connection`), async () => {
  const socket = openSocket()
  const changes = socket.subscribe(['turns'])
  expect((await changes.next()).value).toEqual({ type: 'subscribed', data: { topics: ['turns'] } })
  const turns = Array.from({ length: TURNS }, (_, index) =>
    socket.sendMessage(`Hello ${index}`, { agentName: 'offline', userId: `user ${index}` }),
  )
  const done = await Promise.all(turns.map((turn) => turn.done()))
  expect(new Set(done.map(({ status }) => status))).toEqual(new Set(['completed']))
  expect(new Set(done.map(({ turn_id }) => turn_id)).size).toBe(TURNS)
  expect((await changes.next()).value).toMatchObject({ type: 'changed', data: { topic: 'turns' } })
  await changes.return(undefined)
  await socket.ping()
  expect(made.length).toBe(1)
  await socket.close()
})

it(keeps('client.socket-lost', 'a lost answer, a slow reader, a broken connection, and silence'), async () => {
  const socket = openSocket({ silenceMs: 3_000, pingMs: 1_000 })
  let lost = 0
  proxy.passes = (type) => type !== 'accepted' || (lost += 1) > 1
  const { held, reply, events } = await heldTurn(socket)
  expect(proxy.asked.map(({ type }) => type)).toEqual(['chat', 'chat'])
  for (const cut of [() => proxy.closeAll(1013), () => proxy.breakAll(), () => proxy.freezeAll()]) {
    const before = made.length
    cut()
    await expect.poll(() => made.length).toBeGreaterThan(before)
    await expect
      .poll(() => proxy.asked.filter(({ type }) => type === 'resume').length)
      .toBeGreaterThanOrEqual(before - 1)
  }
  held.release()
  expectWhole(await events, reply)
  await socket.close()
})

it(keeps('client.socket-lost', 'a server that restarts in mid-turn'), async () => {
  const socket = openSocket()
  const { held, reply, events } = await heldTurn(socket)
  const port = Number(new URL(server.url).port)
  await server.stop()
  server = await stage.start('api', { port })
  held.release()
  expectWhole(await events, reply)
  await socket.close()
})

it(keeps('client.socket', 'cancels, approves, and leaves a turn running'), async () => {
  const socket = openSocket()
  const cancelled = await heldTurn(socket)
  expect(await cancelled.turn.cancel()).toMatchObject({ status: 'cancelled' })
  expect((await cancelled.events).at(-1)?.type).toBe('cancelled')

  const cue = stage.model.script(
    { call: [{ name: 'faulty__count', arguments: { label: 'socket' } }] },
    { say: 'Counted.' },
  )
  const asking = socket.sendMessage(cue, { agentName: 'scripted' })
  for await (const { type, data } of asking)
    if (type === 'approval_required') await socket.approve(asking.id!, data.id, { decision: 'approve' })
  expect(asking.message).toMatchObject({ status: 'completed', text: 'Counted.' })
  await expect(socket.approve(asking.id!, asking.message.approvals[0]!.id, { decision: 'deny' })).rejects.toMatchObject(
    {
      code: 'conflict',
    },
  )

  const held = new HeldReply()
  const left = socket.sendMessage(stage.model.script({ say: manyWords('left', 40), held }), { agentName: 'scripted' })
  for await (const { type } of left) if (type === 'content') break
  await socket.close()
  held.release()
  await expect(socket.sendMessage('too late').done()).rejects.toMatchObject({ code: 'connection_lost' })
  const again = openSocket()
  expect(await again.resume(left.id!).text()).toBe(manyWords('left', 40))
  await again.close()
})

it(keeps('client.socket', 'with a ticket where headers cannot be sent, and never with a wrong key'), async () => {
  const { WebSocket } = proxy.constructorOf()
  class Browser extends WebSocket {
    constructor(url: string, init?: { headers: Record<string, string> }) {
      if (init) throw new SyntaxError('Cannot use these protocols')
      super(url)
    }
  }
  const open = (apiKey: string) => muxi({ serverUrl: server.url, apiKey, WebSocket: Browser }).openSocket()
  const socket = open(stage.key)
  expect(await socket.sendMessage('Hello', { agentName: 'offline' }).done()).toMatchObject({ status: 'completed' })
  expect(proxy.urls).toEqual([expect.stringMatching(/^\/api\/v1\/ws\?ticket=/)])
  await socket.close()
  const refused = open('sk_muxi_wrong')
  await expect(refused.sendMessage('Hello', { agentName: 'offline' }).done()).rejects.toMatchObject({
    code: 'unauthorized',
  })
  await refused.close()
})

it(keeps('client.socket', 'on Deno'), async () => {
  const cue = stage.model.script({ say: 'A dot.' })
  const args = [server.url, stage.key, cue, image]
  const program = startChild({ script: 'tests/support/socket-program.ts', args, cwd: stage.folder, runtime: 'deno' })
  const [, said = ''] = await program.says(/^done (.*)$/m)
  expect(JSON.parse(said)).toEqual({ text: 'A dot.', others: Array.from({ length: 20 }, () => 'completed') })
  expect(await program.ended).toBe(0)
})

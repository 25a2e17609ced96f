// Generated WebSocket frames, the same for the same seed: malformed ones among valid requests, and bytes that are no frames at all.
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { beforeAll, expect, it } from 'vitest'
import { seeded } from '../support/seeded.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import type { SeenFrame } from '../support/ws-client.ts'
import { keeps } from './requirements.ts'

const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 11)
const ROUNDS = 40
const MALFORMED_A_ROUND = 40
const RAW_SOCKETS = 40

let stage: Stage
let muxi: Muxi
let turn_id: string
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  const body = { content: 'Hello' }
  turn_id = (await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body })).body.turn_id
  return () => stage.close()
})

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A frame on the wire, and the id under which its error comes: empty where the frame does not say a readable one. */
interface Malformed {
  kind: string
  wire: string | Buffer
  id: string
  /** It is no frame altogether, so its id need not be read. */
  unread?: boolean
}

/** Names that an object has without being given them. */
const PROTOTYPE_NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']

class FrameGenerator {
  readonly #random: () => number
  #count = 0

  constructor(seed: number) {
    this.#random = seeded(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  id(): string {
    this.#count += 1
    return `f${this.#count}`
  }

  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.below(most) }, () => this.below(256)))
  }

  text(most: number): string {
    const points = Array.from({ length: this.below(most) }, () => this.below(this.pick([0x80, 0x800, 0xd800, 0xffff])))
    return String.fromCharCode(...points)
  }

  value(depth = 3): Json {
    const leaves: Json[] = [null, true, false, 0, -1, 1.5, 2 ** 53, -1e308, '', '0', this.text(40)]
    if (depth === 0 || this.below(2) === 0) return this.pick(leaves)
    const values = Array.from({ length: this.below(4) }, () => this.value(depth - 1))
    if (this.below(2) === 0) return values
    return Object.fromEntries(values.map((value) => [this.pick([...PROTOTYPE_NAMES, this.text(8)]), value]))
  }

  /** A request that is as it should be, except that what it names may not be there. */
  #wellFormed(): { type: string; id: string; data: Record<string, Json> } {
    const unknown = `turn_${'0'.repeat(32)}`
    const [type, data] = this.pick<[string, Record<string, Json>]>([
      ['chat', { agent_id: 'offline', content: 'Hello', background: true }],
      ['chat', { agent_id: 'offline', content: 'Hello', on_busy: 'queue', attachments: [] }],
      ['resume', { turn_id, after: 0 }],
      ['cancel', { turn_id: unknown }],
      ['approve', { turn_id: unknown, approval_id: `appr_${'0'.repeat(32)}`, decision: 'deny' }],
      ['ping', {}],
    ])
    return { type, id: this.id(), data: structuredClone(data) }
  }

  readonly #kinds: Record<string, () => Omit<Malformed, 'kind'>> = {
    'a field of a wrong type': () => {
      const { type, id, data } = this.#wellFormed()
      const name = this.pick(Object.keys(data))
      // Every field that is a list or a whole number refuses text, every other one a number.
      const wrong = Array.isArray(data[name]) || typeof data[name] === 'number' ? this.text(9) : this.below(9) + 0.5
      const frame = name === undefined ? { type, id, data: [] } : { type, id, data: { ...data, [name]: wrong } }
      return { wire: JSON.stringify(frame), id, unread: name === undefined }
    },
    'any value for a frame': () => ({ wire: JSON.stringify(this.value()), id: '' }),
    'any value for its data': () => {
      const { type, id } = this.#wellFormed()
      const data = this.pick<Json>([null, true, 7, 'data', [], [{}]])
      return { wire: JSON.stringify({ type, id, data }), id, unread: true }
    },
    'an unknown type': () => {
      const id = this.id()
      return { wire: JSON.stringify({ type: this.pick([...PROTOTYPE_NAMES, 'pong', 'CHAT', '']), id, data: {} }), id }
    },
    'an unknown key of its data': () => {
      const { type, id, data } = this.#wellFormed()
      const fields = JSON.stringify(data).slice(1, -1)
      // As text: an object literal with `__proto__` would have a prototype, not a key.
      const surplus = `${JSON.stringify(this.pick([...PROTOTYPE_NAMES, 'surplus']))}:${JSON.stringify(this.value())}`
      const wire = `{"type":"${type}","id":"${id}","data":{${fields}${fields === '' ? '' : ','}${surplus}}}`
      return { wire, id }
    },
    'an unknown key of the frame': () => {
      const name = JSON.stringify(this.pick([...PROTOTYPE_NAMES, 'surplus']))
      const id = this.id()
      return { wire: `{"type":"ping","id":"${id}",${name}:${JSON.stringify(this.value())}}`, id, unread: true }
    },
    'an id that is none': () => {
      const id = this.pick<Json>([null, 7, '', [], {}, 'x'.repeat(129 + this.below(200_000))])
      return { wire: JSON.stringify({ type: 'ping', id, data: {} }), id: '' }
    },
    'truncated JSON': () => {
      const text = JSON.stringify(this.#wellFormed())
      return { wire: text.slice(0, this.below(text.length)), id: '' }
    },
    'JSON with something after it': () => {
      return { wire: `${JSON.stringify(this.#wellFormed())}${this.pick(['}', ']', '\0', 'null', '{}'])}`, id: '' }
    },
    binary: () => ({ wire: this.pick([this.bytes(64), Buffer.from(JSON.stringify(this.#wellFormed()))]), id: '' }),
    'deep nesting': () => {
      const depth = this.pick([100, 10_000, 100_000])
      const [open, close] = this.pick([['[', ']'] as const, ['{"a":', '}'] as const])
      const deep = `${open.repeat(depth)}1${close.repeat(depth)}`
      const id = this.id()
      const data = this.pick([`"content":${deep}`, `"content":"Hello","response_schema":[${deep}]`])
      return { wire: `{"type":"chat","id":"${id}","data":{"agent_id":"offline",${data}}}`, id, unread: true }
    },
    'numbers out of range': () => {
      const id = this.id()
      const after = this.pick(['-1', '1.5', '1e400', '-1e400', '"1"'])
      return { wire: `{"type":"resume","id":"${id}","data":{"turn_id":"${turn_id}","after":${after}}}`, id }
    },
    'an id of a turn or job that is not there': () => {
      const id = this.id()
      const data = this.pick<Json>([
        { turn_id: `turn_${this.below(2 ** 31)}` },
        { job_id: `job_${'9'.repeat(100_000)}` },
        { turn_id: 'turn_../../etc/passwd' },
      ])
      return { wire: JSON.stringify({ type: 'resume', id, data }), id }
    },
    'two ways to name what to resume': () => {
      const id = this.id()
      return { wire: JSON.stringify({ type: 'resume', id, data: { turn_id, job_id: 'job_1' } }), id }
    },
    'attachments that are none': () => {
      const id = this.id()
      const attachment = { type: 'text/plain', name: 'a.txt' }
      const attachments = this.pick<Json>([
        [{ ...attachment, data: '!' }],
        [
          { ...attachment, file_id: 'file_1' },
          { ...attachment, data: '!' },
        ],
        [{ ...attachment, file_id: 'file_1', data: 'QQ==' }],
        [attachment],
      ])
      return { wire: JSON.stringify({ type: 'chat', id, data: { agent_id: 'offline', content: '', attachments } }), id }
    },
  }

  malformed(): Malformed {
    const kind = this.pick(Object.keys(this.#kinds))
    return { kind, ...this.#kinds[kind]!() }
  }
}

it(
  keeps('fuzz.frames', `${ROUNDS * MALFORMED_A_ROUND} malformed frames among valid requests, seed ${SEED}`),
  async () => {
    console.log(`seed ${SEED} (MUXI_TEST_SEED chooses another)`)
    const generator = new FrameGenerator(SEED)
    const [socket, other] = [await stage.socket(muxi.url), await stage.socket(muxi.url)]
    for (let round = 0; round < ROUNDS; round += 1) {
      const from = socket.frames.length
      const malformed = Array.from({ length: MALFORMED_A_ROUND }, () => generator.malformed())
      const valid = { ping: generator.id(), resume: generator.id(), chat: generator.id() }
      const withChat = round % 10 === 0
      const answersOf = (id: string) => socket.frames.slice(from).filter((frame) => frame.id === id)
      const ends = (id: string, type: string) => answersOf(id).some((frame) => frame.type === type)
      for (const [index, { wire }] of malformed.entries()) {
        socket.socket.send(wire)
        if (index === 10) socket.send('resume', valid.resume, { turn_id })
        if (index === 20) socket.send('ping', valid.ping)
        if (index === 30 && withChat) socket.send('chat', valid.chat, { agent_id: 'offline', content: 'Hello' })
      }
      const errors = () => socket.frames.slice(from).filter(({ type }) => type === 'error')
      await socket.waitFor(() => errors().length >= malformed.length)
      await socket.waitFor(() => ends(valid.ping, 'pong') && ends(valid.resume, 'chat_end'))
      if (withChat) await socket.waitFor(() => ends(valid.chat, 'chat_end'))

      // Each malformed frame has one error, under its id where it has one, which says what was wrong.
      const told = errors().map(({ id }) => id)
      const expected = malformed.map(({ id, unread }) => (unread && !told.includes(id) ? '' : id))
      expect(told.toSorted(), JSON.stringify(malformed).slice(0, 20_000)).toEqual(expected.toSorted())
      for (const id of expected) if (id !== '') expect(answersOf(id)).toHaveLength(1)
      expect(errors().filter((frame) => !isOrderly(frame))).toEqual([])
      // Another client of the same process is not affected.
      other.send('ping', valid.ping)
      await other.waitFor((frame) => frame.id === valid.ping && frame.type === 'pong')
    }
    socket.close()
    other.close()
    await expectAlive()
  },
)

/** The client's mistake, in our words, with the request's id. */
function isOrderly({ data: { code, message, details } }: SeenFrame): boolean {
  return (
    ['bad_request', 'not_found', 'unsupported_media_type'].includes(code) &&
    message.length < 10_000 &&
    details.request_id.startsWith('req_')
  )
}

it(keeps('fuzz.frames', `${RAW_SOCKETS} sockets that send bytes instead of frames, seed ${SEED}`), async () => {
  const generator = new FrameGenerator(SEED)
  for (let count = 0; count < RAW_SOCKETS; count += 1) {
    const socket = await upgraded()
    const closed = once(socket, 'close')
    socket.on('error', () => {}).resume()
    socket.end(generator.bytes(2_000))
    await closed
  }
  await expectAlive()
})

/** A connection that has been upgraded, on which no code ensures that frames are sent. */
function upgraded(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${stage.key}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16, 'k').toString('base64'),
    }
    httpRequest(`${muxi.url}/api/v1/ws`, { headers })
      .on('upgrade', (_, socket: Socket) => resolve(socket))
      .on('error', reject)
      .end()
  })
}

/** The same process answers, and nothing that it met was unforeseen. */
async function expectAlive(): Promise<void> {
  expect((await stage.call(muxi.url, '/healthz')).status).toBe(200)
  expect([muxi.child.exitCode, muxi.child.signalCode]).toEqual([null, null])
  expect(muxi.logs().filter(({ level }) => level >= 50)).toEqual([])
  await stage.check()
}

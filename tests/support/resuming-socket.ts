// A client of the WebSocket as the contract describes it: it says one message, reconnects with exponential backoff, resumes
// after the last event that it has seen, and keeps the text.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
/** Codes after which another connection has a chance. */
const PASSING = new Set([1001, 1006, 1011, 1012, 1013])

interface Frame {
  type: string
  id: string
  data: { event_id?: number; turn_id?: string; content?: string; code?: string; message?: string }
}

export interface Heard {
  text: string
  /** The type of the final frame. */
  final: string
  /** Event ids in the order in which they came. */
  ids: number[]
  /** Codes with which connections were closed. */
  closes: number[]
  turn_id: string
}

export interface Message {
  agent_id: string
  content: string
  conversation_id: string
}

export class ResumingSocket {
  readonly heard: Heard = { text: '', final: '', ids: [], closes: [], turn_id: '' }
  /** Resolves at the final event; rejects on an error of the server that no reconnect helps with. */
  readonly done: Promise<Heard>
  readonly #url: string
  readonly #key: string
  readonly #message: Message
  readonly #idempotencyKey: string
  readonly #opened = Promise.withResolvers<void>()
  #socket: WebSocket | undefined

  constructor(url: string, key: string, message: Message, idempotencyKey: string) {
    this.#url = `${url.replace(/^http/, 'ws')}/api/v1/ws`
    this.#key = key
    this.#message = message
    this.#idempotencyKey = idempotencyKey
    this.done = this.#run()
    this.done.catch(() => undefined)
  }

  /** Resolves when the first frame of its turn was seen. */
  get begun(): Promise<void> {
    return this.#opened.promise
  }

  get socket(): WebSocket | undefined {
    return this.#socket
  }

  async #run(): Promise<Heard> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const before = this.heard.ids.length
      const code = await this.#connect()
      if (this.heard.final !== '') return this.heard
      this.heard.closes.push(code)
      if (!PASSING.has(code)) throw new Error(`closed with ${code}`)
      if (this.heard.ids.length > before) pause = FIRST_PAUSE_MS
      await sleep(pause * (0.5 + Math.random()))
    }
  }

  /** One connection. @returns the code with which it ended */
  #connect(): Promise<number> {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.#url, { headers: { authorization: `Bearer ${this.#key}` } })
      this.#socket = socket
      socket.on('error', () => {})
      socket.on('close', resolve)
      socket.on('open', () => socket.send(JSON.stringify(this.#request())))
      socket.on('message', (bytes) => {
        this.#take(JSON.parse((bytes as Buffer).toString('utf8')) as Frame)
        if (this.heard.final !== '') socket.terminate()
      })
    })
  }

  #request() {
    const { turn_id, ids } = this.heard
    if (turn_id !== '') return { type: 'resume', id: 'r', data: { turn_id, after: ids.at(-1) ?? 0 } }
    return { type: 'chat', id: 'c', data: { ...this.#message, idempotency_key: this.#idempotencyKey } }
  }

  #take({ type, data }: Frame): void {
    const { heard } = this
    if (data.event_id === undefined) {
      // A refusal: a server that goes down is `unavailable`, and the next connection asks again.
      if (type === 'error' && data.code !== 'unavailable') heard.final = `error: ${data.message}`
      if (type === 'error') this.#socket?.close()
      return
    }
    heard.ids.push(data.event_id)
    if (type === 'accepted') heard.turn_id = data.turn_id ?? ''
    if (type === 'content_reset') heard.text = data.content ?? ''
    if (type === 'chat_content') heard.text += data.content ?? ''
    if (['chat_end', 'cancelled', 'error'].includes(type)) heard.final = type
    this.#opened.resolve()
  }
}

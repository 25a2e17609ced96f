// A WebSocket without a network: the client's half is the standard interface, the server's half that of its sessions.
import { EventEmitter } from 'node:events'
import type { ServerSocket } from '../api/server-socket.ts'

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3]
const NO_STATUS = 1005
const ABNORMAL = 1006
const TOO_BIG = 1009
/** After it the client sends a request, which gets the error: a socket has none to give. */
const REFUSED = 4401

export interface SocketHost {
  /** Bytes of a frame that the server takes. */
  maxBytes: number
  serve: (socket: ServerSocket) => void
}

/** A class as `WebSocket`, whose sockets lead to a host in this process. @param host may resolve later; its rejection fails the socket */
export function memoryWebSocket(host: () => Promise<SocketHost>): typeof WebSocket {
  return class extends ClientHalf {
    constructor(url: string | URL) {
      super(url, host)
    }
  } as unknown as typeof WebSocket
}

class ClientHalf extends EventTarget {
  static readonly CONNECTING = CONNECTING
  static readonly OPEN = OPEN
  static readonly CLOSING = CLOSING
  static readonly CLOSED = CLOSED
  readonly CONNECTING = CONNECTING
  readonly OPEN = OPEN
  readonly CLOSING = CLOSING
  readonly CLOSED = CLOSED
  readonly url: string
  readonly protocol = ''
  readonly extensions = ''
  binaryType = 'blob'
  readyState = CONNECTING
  onopen: ((event: Event) => void) | null = null
  onmessage: ((event: MessageEvent) => void) | null = null
  onerror: ((event: Event) => void) | null = null
  onclose: ((event: CloseEvent) => void) | null = null
  #server: ServerHalf | undefined

  constructor(url: string | URL, host: () => Promise<SocketHost>) {
    super()
    this.url = String(url)
    void host().then(
      (found) => this.#open(found),
      () => this.#fail(REFUSED),
    )
  }

  get bufferedAmount(): number {
    return this.#server?.waitingBytes ?? 0
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState === CONNECTING) throw new DOMException('The socket is not open yet', 'InvalidStateError')
    if (this.readyState !== OPEN) return
    const isBinary = typeof data !== 'string'
    this.#server?.take(isBinary ? bytesOf(data) : Buffer.from(data), isBinary)
  }

  close(code?: number, reason = ''): void {
    if (this.readyState >= CLOSING) return
    const server = this.#server
    this.readyState = CLOSING
    if (server) server.end(code ?? NO_STATUS, reason)
    else this.#fail()
  }

  /** A frame of the server, or its end. */
  receive(what: { text: string } | { code: number; reason: string }): void {
    if ('text' in what) {
      if (this.readyState === OPEN) this.#emit(new MessageEvent('message', { data: what.text }))
      return
    }
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#emit(new CloseEvent('close', { ...what, wasClean: what.code !== ABNORMAL }))
  }

  #open({ maxBytes, serve }: SocketHost): void {
    if (this.readyState !== CONNECTING) return
    this.#server = new ServerHalf(this, maxBytes)
    this.readyState = OPEN
    serve(this.#server)
    this.#emit(new Event('open'))
  }

  #fail(code = ABNORMAL): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSING
    queueMicrotask(() => {
      this.#emit(new Event('error'))
      this.receive({ code, reason: '' })
    })
  }

  #emit(event: Event): void {
    const handler = this[`on${event.type}` as 'onopen']
    if (handler) handler.call(this, event)
    this.dispatchEvent(event)
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Buffer {
  // A copy: the caller may change its own.
  return Buffer.from(
    ArrayBuffer.isView(data) ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data.slice(0),
  )
}

interface Sent {
  what: { text: string } | { code: number; reason: string }
  sent: (() => void) | undefined
}

class ServerHalf extends EventEmitter implements ServerSocket {
  readonly OPEN = OPEN
  readonly CLOSED = CLOSED
  readyState = OPEN
  isPaused = false
  bufferedAmount = 0
  /** Bytes of the frames of the client that were not taken yet. */
  waitingBytes = 0
  readonly #client: ClientHalf
  readonly #maxBytes: number
  #incoming: { data: Buffer; isBinary: boolean }[] = []
  #outgoing: Sent[] = []
  #delivering = false

  constructor(client: ClientHalf, maxBytes: number) {
    super()
    this.#client = client
    this.#maxBytes = maxBytes
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.#pump()
  }

  send(text: string, sent?: () => void): void {
    if (this.readyState !== OPEN) return
    this.bufferedAmount += text.length
    this.#post({ what: { text }, sent })
  }

  close(code = NO_STATUS, reason = ''): void {
    if (this.readyState !== OPEN) return
    this.#post({ what: { code, reason }, sent: undefined })
    this.#end()
  }

  terminate(): void {
    this.close(ABNORMAL)
  }

  /** A frame of the client. */
  take(data: Buffer, isBinary: boolean): void {
    if (data.byteLength > this.#maxBytes) return this.close(TOO_BIG, 'Max payload size exceeded')
    this.waitingBytes += data.byteLength
    this.#incoming.push({ data, isBinary })
    this.#pump()
  }

  /** The client closes. */
  end(code: number, reason: string): void {
    this.close(code, reason)
  }

  #end(): void {
    this.readyState = CLOSED
    this.#incoming = []
    queueMicrotask(() => this.emit('close'))
  }

  #pump(): void {
    queueMicrotask(() => {
      while (!this.isPaused && this.readyState === OPEN) {
        const frame = this.#incoming.shift()
        if (!frame) return
        this.waitingBytes -= frame.data.byteLength
        this.emit('message', frame.data, frame.isBinary)
      }
    })
  }

  /** Frames are delivered in order, in a task of their own: as from a network, never within `send`. */
  #post(sent: Sent): void {
    this.#outgoing.push(sent)
    if (this.#delivering) return
    this.#delivering = true
    setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    this.#delivering = false
    for (const { what, sent } of this.#outgoing.splice(0)) {
      if ('text' in what) this.bufferedAmount -= what.text.length
      this.#client.receive(what)
      sent?.()
    }
  }
}

// A WebSocket client that keeps every frame.
import { WebSocket } from 'ws'
import { apiCheck } from './api-check.ts'
import { News } from './news.ts'

export interface SeenFrame {
  type: string
  id: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test looks at is up to the test
  data: any
}

export class WsClient {
  readonly frames: SeenFrame[] = []
  readonly socket: WebSocket
  /** Resolves with the code with which it closed. */
  readonly closed: Promise<number>
  readonly #news = new News()

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { headers })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => resolve(code))
      this.socket.on('error', () => {})
    })
    void this.closed.then((code) => this.#news.end(`The socket was closed with ${code}`))
    this.socket.on('message', (data) => {
      const frame = JSON.parse((data as Buffer).toString('utf8')) as SeenFrame
      this.frames.push(frame)
      this.#news.more()
      void apiCheck(url).then((check) => check?.frame(frame))
    })
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<WsClient> {
    const client = new WsClient(url, headers)
    await new Promise<void>((resolve, reject) => {
      client.socket.once('open', () => resolve())
      client.socket.once('error', reject)
    })
    return client
  }

  send(type: string, id: string, data?: unknown): void {
    this.socket.send(JSON.stringify({ type, id, ...(data !== undefined && { data }) }))
  }

  /** Resolves with the first frame, seen already or yet to come, that fits; rejects after `ms` or when the socket was closed. */
  waitFor(fits: (frame: SeenFrame) => boolean, ms = 60_000): Promise<SeenFrame> {
    return this.#news.first(
      () => this.frames.find(fits),
      ms,
      () => `the frame; there were ${JSON.stringify(this.frames)}`,
    )
  }

  /** The code with which it closes, soon. */
  closesWith(ms = 30_000): Promise<number | 'still open'> {
    const late = new Promise<'still open'>((resolve) => setTimeout(() => resolve('still open'), ms).unref())
    return Promise.race([this.closed, late])
  }

  close(): void {
    this.socket.terminate()
  }
}

// A WebSocket client that keeps every frame.
import { WebSocket } from 'ws'

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
  readonly #watchers = new Set<() => void>()

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { headers })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => resolve(code))
      this.socket.on('error', () => {})
    })
    this.socket.on('message', (data) => {
      this.frames.push(JSON.parse((data as Buffer).toString('utf8')) as SeenFrame)
      for (const watch of this.#watchers) watch()
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

  /** The first frame, seen already or yet to come, that fits. */
  waitFor(fits: (frame: SeenFrame) => boolean, ms = 30_000): Promise<SeenFrame> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        act()
      }
      const look = () => {
        const found = this.frames.find(fits)
        if (found) finish(() => resolve(found))
      }
      const timer = setTimeout(
        () =>
          finish(() => reject(new Error(`no such frame within ${ms} ms; there were ${JSON.stringify(this.frames)}`))),
        ms,
      )
      this.#watchers.add(look)
      look()
    })
  }

  /** The code with which it closes, soon. */
  closesWith(ms = 5_000): Promise<number | 'still open'> {
    const late = new Promise<'still open'>((resolve) => setTimeout(() => resolve('still open'), ms).unref())
    return Promise.race([this.closed, late])
  }

  close(): void {
    this.socket.terminate()
  }
}

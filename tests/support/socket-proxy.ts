// A proxy between clients of the WebSocket and the server that breaks connections in the ways networks and servers do.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

export class SocketProxy {
  /** URLs of the connections that were made, in order. */
  readonly urls: string[] = []
  /** Frames of clients, in order. */
  readonly asked: { type: string; id: string; data: Record<string, unknown> }[] = []
  /** Called with each frame of the server: `false` withholds it and breaks the connection. */
  passes: (type: string) => boolean = () => true
  readonly #frozen = new WeakSet<WebSocket>()
  readonly #server: WebSocketServer

  private constructor(server: WebSocketServer) {
    this.#server = server
  }

  static async start(target: string): Promise<SocketProxy> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const proxy = new SocketProxy(server)
    server.on('connection', (client, { url = '', headers: { authorization } }) => {
      proxy.urls.push(url)
      const upstream = new WebSocket(`${target.replace(/^http/, 'ws')}${url}`, {
        headers: authorization === undefined ? {} : { authorization },
      })
      const waiting: string[] = []
      client.on('message', (data: Buffer) => {
        const text = data.toString('utf8')
        if (proxy.#frozen.has(client)) return
        proxy.asked.push(JSON.parse(text))
        if (upstream.readyState === upstream.OPEN) upstream.send(text)
        else waiting.push(text)
      })
      upstream.on('open', () => waiting.forEach((text) => upstream.send(text)))
      upstream.on('message', (data: Buffer) => {
        if (proxy.#frozen.has(client)) return
        const text = data.toString('utf8')
        if (proxy.passes(JSON.parse(text).type)) client.send(text)
        else client.terminate()
      })
      upstream.on('error', () => client.terminate())
      upstream.on('close', (code) => (code === 1006 ? client.terminate() : client.close(code)))
      client.on('error', () => {})
      client.on('close', () => upstream.terminate())
    })
    return proxy
  }

  /** A constructor whose connections go through the proxy, and those that were made with it. */
  constructorOf(): {
    WebSocket: new (url: string, init?: { headers: Record<string, string> }) => WebSocket
    made: WebSocket[]
  } {
    const { port } = this.#server.address() as AddressInfo
    const made: WebSocket[] = []
    class Proxied extends WebSocket {
      constructor(url: string, init?: { headers: Record<string, string> }) {
        const { pathname, search } = new URL(url)
        super(`ws://127.0.0.1:${port}${pathname}${search}`, init)
        made.push(this)
      }
    }
    return { WebSocket: Proxied, made }
  }

  /** Closes all connections as the server would with this code. */
  closeAll(code: number): void {
    for (const client of this.#server.clients) client.close(code)
  }

  /** Ends all connections without a closing handshake. */
  breakAll(): void {
    for (const client of this.#server.clients) client.terminate()
  }

  /** Nothing passes over the present connections any more, in either direction, and nothing is closed. */
  freezeAll(): void {
    for (const client of this.#server.clients) this.#frozen.add(client)
  }

  async stop(): Promise<void> {
    this.breakAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

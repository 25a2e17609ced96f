// An MCP server over HTTP that answers to a request with whatever it is given: any result, any message, any status and media type.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RawReply {
  status?: number
  type?: string
  body: string
}

/** A request of the client. */
export interface RawRequest {
  id: number
  method: string
  params: Record<string, unknown>
}

/** Answers of the methods by their names, undefined: never; others get the usual answer. */
export type RawAnswers = Record<string, (request: RawRequest) => RawReply | undefined>

/** A result as JSON: without checks, so that it may be anything. */
export function result(value: unknown): (request: RawRequest) => RawReply {
  return ({ id }) => json({ jsonrpc: '2.0', id, result: value })
}

/** A whole message. */
export function message(of: (id: number) => unknown): (request: RawRequest) => RawReply {
  return ({ id }) => json(of(id))
}

export function json(value: unknown): RawReply {
  return { body: JSON.stringify(value) }
}

/** The same answer as the one event of a stream. */
export function asEvents(answer: (request: RawRequest) => RawReply): (request: RawRequest) => RawReply {
  return (request) => {
    const reply = answer(request)
    if (reply.status !== undefined || reply.type !== undefined) return reply
    const lines = reply.body.split('\n').map((line) => `data: ${line}\n`)
    return { type: 'text/event-stream', body: `event: message\n${lines.join('')}\n` }
  }
}

export class RawMcpServer {
  /** What it was asked, `GET` for a request of a stream. */
  readonly asked: string[] = []
  answers: RawAnswers = {}
  /** The answer to a request for a stream. */
  stream: RawReply = { status: 405, body: '' }
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  static async start(): Promise<RawMcpServer> {
    const server = new RawMcpServer()
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (request.method !== 'POST') {
      this.asked.push(request.method ?? '')
      return send(response, this.stream)
    }
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as RawRequest
    this.asked.push(asked.method)
    if (asked.id === undefined) return send(response, { status: 202, body: '' })
    const reply = (this.answers[asked.method] ?? USUAL[asked.method] ?? result({}))(asked)
    if (reply) send(response, reply)
  }
}

const USUAL: RawAnswers = {
  initialize: ({ id, params }) =>
    json({
      jsonrpc: '2.0',
      id,
      result: {
        protocolVersion: params['protocolVersion'],
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'raw', version: '1' },
      },
    }),
  'tools/list': result({ tools: [{ name: 'ask', inputSchema: { type: 'object' } }] }),
}

function send(response: ServerResponse, { status = 200, type = 'application/json', body }: RawReply): void {
  response.writeHead(status, { ...(type !== '' && { 'content-type': type }) }).end(body)
}

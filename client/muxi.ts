// The client: every resource of the server, and the shortest way to a reply.
import { type MessageOptions, requestOf } from './chat-request.ts'
import { type CallOptions, Http, newKey } from './http.ts'
import type { ClientOptions } from './options.ts'
import { type List, listOf } from './pages.ts'
import { MuxiSocket } from './socket.ts'
import type { AgentBrief, Approval, PageOf, PageQuery, Receipt, Reply, TurnRecord } from './types.ts'

export type MuxiOptions = Partial<ClientOptions> & {
  /** Alias of `serverUrl`. */
  server_url?: string | undefined
  /** Alias of `apiKey`. */
  api_key?: string | undefined
}

export interface ChatOptions extends CallOptions, MessageOptions {}

/** The reply of an agent: `String(reply)` is its text. */
export type ChatReply = Reply & {
  text: string
  /** What the turn waits for. */
  approvals: Approval[]
  toString(): string
}

/** Connects to a server. Nothing is sent before the first call. */
export function muxi({ server_url, api_key, ...options }: MuxiOptions): Muxi {
  return new Muxi({ ...options, serverUrl: options.serverUrl ?? server_url!, apiKey: options.apiKey ?? api_key })
}

export class Muxi {
  readonly http: Http
  readonly agents: {
    list: (query?: PageQuery, options?: CallOptions) => List<AgentBrief, PageOf<'agents', AgentBrief>>
  }

  constructor(options: ClientOptions) {
    this.http = new Http(options)
    this.agents = {
      list: (query, options) =>
        listOf('agents', false, (next) =>
          this.http.json('GET', '/agents', { ...options, query: { ...query, ...next } }),
        ),
    }
  }

  /** Sends a message and waits for the reply. */
  async chat(text: string, options: ChatOptions = {}): Promise<ChatReply> {
    const { agentName, idempotencyKey = newKey(), ...call } = options
    const path = `${agentName === undefined ? '' : `/agents/${encodeURIComponent(agentName)}`}/chat`
    const { data, response } = await this.http
      .json<Reply | Receipt>('POST', path, {
        ...callOptionsOf(call),
        json: await requestOf(this.http, text, options),
        idempotencyKey,
      })
      .withResponse()
    if (response.status === 200) return replyOf(data as Reply)
    const record = await this.http.json<TurnRecord>('GET', `/turns/${data.turn_id}`)
    return replyOf(record.message as Reply, record.approvals)
  }

  /** A socket for many turns at once. It connects with the first message. */
  openSocket(): MuxiSocket {
    return new MuxiSocket(this.http)
  }

  /** Alias of `openSocket`. */
  open_socket(): MuxiSocket {
    return this.openSocket()
  }
}

function callOptionsOf({ signal, timeoutMs, maxRetries, headers }: CallOptions): CallOptions {
  return { signal, timeoutMs, maxRetries, headers }
}

function replyOf(reply: Reply, approvals: Approval[] = []): ChatReply {
  const text = reply.agent_response?.content ?? ''
  return Object.defineProperty({ ...reply, text, approvals } as ChatReply, 'toString', { value: () => text })
}

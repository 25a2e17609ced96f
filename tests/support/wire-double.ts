// The vendors of models on the wire: aimock answers in each protocol, and raw answers are sent as they are written.
import type { ServerResponse } from 'node:http'
import { LLMock, type FixtureOpts, type FixtureResponse } from '@copilotkit/aimock'
import { anthropicProvider } from '../../providers/anthropic.ts'
import { geminiProvider } from '../../providers/gemini.ts'
import { openaiProvider } from '../../providers/openai.ts'
import type { Provider } from '../../providers/provider.ts'
import { responsesProvider } from '../../providers/responses.ts'
import type { AdapterOptions } from '../../providers/streamed-call.ts'

export const KEY = 'sk-wire-secret'

/** A protocol: its adapter, and what it looks like on the wire. */
export interface Protocol {
  name: 'openai' | 'responses' | 'anthropic' | 'gemini'
  open: (options: AdapterOptions) => Provider
  /** Between the server's address and the paths of the protocol. */
  prefix: string
  /** The events of a reply of these pieces of text; without `end`, it is cut before it says that it is over. */
  text: (pieces: string[], end?: boolean, extra?: object) => unknown[]
  /** The events of a reply that the vendor's rules have refused. */
  refusal: unknown[]
  /** An error in place of an event, which is worth another request. */
  reported: unknown
  /** What a wrong key is answered. */
  wrongKey: { status: number; body: object }
}

const responsesEnd = (status: string, more: object = {}) => ({
  type: `response.${status}`,
  response: { id: 'resp_1', status, usage: { input_tokens: 3, output_tokens: 2 }, ...more },
})

export const PROTOCOLS: readonly Protocol[] = [
  {
    name: 'openai',
    open: openaiProvider,
    prefix: '/v1',
    text: (pieces, end = true, extra = {}) => [
      ...pieces.map((content) => ({ choices: [{ delta: { content, ...extra }, ...extra }], ...extra })),
      ...(end
        ? [{ choices: [{ delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 3, completion_tokens: 2 } }]
        : []),
    ],
    refusal: [{ choices: [{ delta: {}, finish_reason: 'content_filter' }] }],
    reported: { error: { message: 'Overloaded', type: 'overloaded_error' } },
    wrongKey: { status: 401, body: { error: { message: `Incorrect key ${KEY}`, code: 'invalid_api_key' } } },
  },
  {
    name: 'responses',
    open: responsesProvider,
    prefix: '/v1',
    text: (pieces, end = true, extra = {}) => [
      {
        type: 'response.output_item.added',
        output_index: 0,
        item: { type: 'message', id: 'msg_1', ...extra },
        ...extra,
      },
      ...pieces.map((delta) => ({ type: 'response.output_text.delta', output_index: 0, delta, ...extra })),
      ...(end ? [responsesEnd('completed', extra)] : []),
    ],
    refusal: [responsesEnd('incomplete', { incomplete_details: { reason: 'content_filter' } })],
    reported: {
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'server_error', message: 'Failed' } },
    },
    wrongKey: { status: 401, body: { error: { message: `Incorrect key ${KEY}`, code: 'invalid_api_key' } } },
  },
  {
    name: 'anthropic',
    open: anthropicProvider,
    prefix: '',
    text: (pieces, end = true, extra = {}) => [
      {
        type: 'message_start',
        message: { id: 'msg_1', usage: { input_tokens: 3, output_tokens: 1 }, ...extra },
        ...extra,
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '', ...extra } },
      ...pieces.map((text) => ({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'text_delta', text, ...extra },
      })),
      ...(end
        ? [
            { type: 'content_block_stop', index: 0 },
            { type: 'message_delta', delta: { stop_reason: 'end_turn', ...extra }, usage: { output_tokens: 2 } },
            { type: 'message_stop' },
          ]
        : []),
    ],
    refusal: [
      { type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 0 } } },
      { type: 'message_delta', delta: { stop_reason: 'refusal' }, usage: { output_tokens: 0 } },
      { type: 'message_stop' },
    ],
    reported: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    wrongKey: {
      status: 401,
      body: { type: 'error', error: { type: 'authentication_error', message: `invalid x-api-key ${KEY}` } },
    },
  },
  {
    name: 'gemini',
    open: geminiProvider,
    prefix: '',
    text: (pieces, end = true, extra = {}) => [
      ...pieces.map((text) => ({
        candidates: [{ content: { role: 'model', parts: [{ text, ...extra }], ...extra }, ...extra }],
        ...extra,
      })),
      ...(end
        ? [
            {
              candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }],
              usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
            },
          ]
        : []),
    ],
    refusal: [{ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 3 } }],
    reported: { error: { code: 503, message: 'The model is overloaded', status: 'UNAVAILABLE' } },
    wrongKey: {
      status: 400,
      body: { error: { code: 400, message: `API key not valid: ${KEY}`, status: 'INVALID_ARGUMENT' } },
    },
  },
]

/** An answer as it is sent: events, or the text of the body; `cut` breaks the connection after them, `hang` leaves it open. */
export interface RawAnswer {
  status?: number
  headers?: Record<string, string>
  events?: readonly unknown[]
  body?: string
  ending?: 'end' | 'cut' | 'hang'
}

/** A request as it came. */
export interface RawRequest {
  url: string
  headers: Record<string, string | string[] | undefined>
  text: string
}

export class WireDouble {
  readonly #mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' })
  readonly #answers: RawAnswer[] = []
  readonly #open = new Set<ServerResponse>()
  readonly requests: RawRequest[] = []

  static async start(): Promise<WireDouble> {
    const double = new WireDouble()
    double.#mock.mount('/raw', {
      handleRequest: async (request, response) => {
        const pieces: Buffer[] = []
        for await (const piece of request) pieces.push(piece as Buffer)
        const text = Buffer.concat(pieces).toString()
        double.requests.push({ url: request.url ?? '', headers: request.headers, text })
        await double.#answer(response)
        return true
      },
    })
    await double.#mock.start()
    return double
  }

  /** The adapter of a protocol, asking aimock; or with `raw` the answers that are lined up. */
  open(protocol: Protocol, { raw = false, ...options }: Partial<AdapterOptions> & { raw?: boolean } = {}): Provider {
    const base_url = raw ? this.rawUrl(protocol) : `${this.#mock.url}${protocol.prefix}`
    return protocol.open({ name: protocol.name, api_key: KEY, stall_ms: 10_000, base_url, ...options })
  }

  /** What aimock answers from now on. */
  say(response: FixtureResponse, options: FixtureOpts = {}): void {
    this.#mock.clearFixtures()
    this.#mock.addFixture({ match: {}, response, ...options })
  }

  /** The body of the last request to aimock, in the form of chat completions. */
  get lastBody(): unknown {
    return this.#mock.getRequests().at(-1)?.body
  }

  /** Lines up answers, one for each request. */
  raw(...answers: RawAnswer[]): void {
    this.#answers.push(...answers)
  }

  /** The answer to the next request, whatever was lined up before. */
  next(answer: RawAnswer): void {
    this.#answers.splice(0, Infinity, answer)
  }

  /** The base URL of raw answers of a protocol. */
  rawUrl({ prefix }: Protocol): string {
    return `${this.#mock.url}/raw${prefix}`
  }

  async stop(): Promise<void> {
    for (const response of this.#open) response.destroy()
    await this.#mock.stop()
  }

  async #answer(response: ServerResponse): Promise<void> {
    const { status = 200, headers = {}, events = [], body, ending = 'end' } = this.#answers.shift() ?? { status: 418 }
    this.#open.add(response.on('close', () => this.#open.delete(response)))
    response.writeHead(status, {
      'content-type': body === undefined ? 'text/event-stream' : 'application/json',
      ...headers,
    })
    response.flushHeaders()
    if (body !== undefined) response.write(body)
    for (const event of events) response.write(framed(event))
    if (ending === 'end') response.end()
    // What was written is on its way before the connection breaks.
    if (ending === 'cut') setImmediate(() => response.socket?.end(() => response.destroy()))
  }
}

/** With its type as its name: Anthropic's own client reads no others. */
function framed(event: unknown): string {
  const type = (event as { type?: unknown }).type
  const name = typeof type === 'string' ? `event: ${type}\n` : ''
  return `${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`
}

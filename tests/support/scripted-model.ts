// A scripted language model: aimock over real HTTP, strict in both directions.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChatCompletionRequest, type Fixture, type FixtureResponse, LLMock } from '@copilotkit/aimock'
import { holdBack, type HeldReply } from './held-reply.ts'
import { checkModelRequest } from './check-model-request.ts'

interface Pace {
  /** Milliseconds before the first piece. */
  after_ms?: number
  /** Chunks per second; default: all at once. */
  pieces_per_second?: number
  /** Characters per chunk. */
  piece?: number
  /** Breaks the connection after this many chunks, including the first one (the role). */
  break_after_pieces?: number
  /** Left out: `stop`, or `tool_calls` with calls. */
  finish?: 'length' | 'content_filter'
  /** Streamed before the text. */
  reasoning?: string
  /** The reply stays unfinished until it is released. */
  held?: HeldReply
}

/** The model's behaviour at one request. `call` may have text before it. */
export type Step = Pace &
  (
    | { say: string; call?: { name: string; arguments: string | object }[] }
    | { call: { name: string; arguments: string | object }[] }
    | { fail: number; retry_after?: number; words?: string }
  )

interface Script {
  steps: Step[]
  used: number
}

/** A served request: arrival, close of its connection, and whether the answer was finished by then. */
export interface ServedRequest {
  at: number
  path: string
  authorization: string
  closed_at?: number
  finished?: boolean
}

const HANG_MS = 120_000
/** A step that never responds. */
export const HANG: Step = { say: 'never said', after_ms: HANG_MS }

export class ScriptedModel {
  readonly #mock: LLMock
  readonly #scripts = new Map<string, Script>()
  readonly #held = new Set<HeldReply>()
  readonly #raw = new Map<string, { answers: string[][]; used: number }>()
  readonly served: ServedRequest[] = []
  #cues = 0

  private constructor(mock: LLMock) {
    this.#mock = mock
  }

  static async start(): Promise<ScriptedModel> {
    // The test asserts faults of the script, so aimock does not print them.
    const mock = new LLMock({ port: 0, host: '127.0.0.1', strict: true, journalMaxEntries: 0, logLevel: 'silent' })
    const model = new ScriptedModel(mock)
    mock.mount('/v1', { handleRequest: async (request, response) => model.#watch(request, response) })
    mock.mount('/raw', { handleRequest: (request, response, path) => model.#answerRaw(request, response, path) })
    await mock.start()
    return model
  }

  /** The value of `OPENAI_BASE_URL`. */
  get baseUrl(): string {
    return `${this.#mock.url}/v1`
  }

  /** The base URL of `raw` answers. */
  rawUrl(name: string): string {
    return `${this.#mock.url}/raw/${name}`
  }

  /**
   * Scripts the model for messages with the returned cue: one step per request, in order.
   * @returns the cue, a word to put into the message
   */
  script(...steps: Step[]): string {
    this.#cues += 1
    const cue = `[cue ${this.#cues}]`
    this.scriptFor(cue, ...steps)
    return cue
  }

  /** The same for messages that contain a text of their own. */
  scriptFor(cue: string, ...steps: Step[]): void {
    const script: Script = { steps, used: 0 }
    for (const { held } of steps) if (held) this.#held.add(held)
    this.#scripts.set(cue, script)
    for (const [index, step] of steps.entries()) this.#mock.addFixture(toFixture(cue, script, index, step))
  }

  /** Handles requests that match no script, until the returned function is called. */
  otherwise(step: Step): () => void {
    let over = false
    const script: Script = { steps: [], used: 0 }
    if (step.held) this.#held.add(step.held)
    const fixture = toFixture('', script, 0, step)
    this.#mock.addFixture({
      ...fixture,
      match: {
        predicate: (request) => !over && ![...this.#scripts.keys()].some((cue) => lastUserText(request).includes(cue)),
      },
    })
    return () => {
      over = true
    }
  }

  /** Raw bytes to send, one list of SSE data lines per request; then the response ends. */
  raw(name: string, ...answers: string[][]): void {
    this.#raw.set(name, { answers, used: 0 })
  }

  /** How many requests the model has seen: for a cue or a raw name, or all of them. */
  calls(cue?: string): number {
    if (cue === undefined) return this.served.length
    const raw = this.#raw.get(cue)
    return raw ? raw.used : this.requests(cue).length
  }

  /** The bodies of the requests that came with a cue. */
  requests(cue: string): ChatCompletionRequest[] {
    const bodies = this.#mock.getRequests().map(({ body }) => body as ChatCompletionRequest)
    return bodies.filter((body) => body?.messages && lastUserText(body).includes(cue))
  }

  /** The faults of the requests for a chat completion. */
  #refused(): string[] {
    const bodies = this.#mock.getRequests().map(({ body }) => body as { messages?: unknown } | null)
    return bodies.filter((body) => body?.messages !== undefined).flatMap(checkModelRequest)
  }

  /** @throws when a request came that no script expected or that a strict server would refuse, or a step was left unused */
  assertUsed(): void {
    const unexpected = this.#mock.getRequests().filter(({ response }) => response.fixture === null)
    const texts = unexpected.map(({ body }) => JSON.stringify(lastUserText(body as ChatCompletionRequest)))
    const left = [...this.#scripts].filter(([, { steps, used }]) => used < steps.length)
    const faults = [
      ...texts.map((text) => `the script did not expect another request for ${text}`),
      ...left.map(([cue, { steps, used }]) => `${cue} used ${used} of ${steps.length} steps`),
      ...this.#refused().map((fault) => `a strict server would refuse a request: ${fault}`),
    ]
    this.#scripts.clear()
    this.#mock.clearFixtures()
    this.#mock.clearRequests()
    if (faults.length > 0) throw new Error(`The scripted model: ${faults.join('; ')}`)
  }

  async stop(): Promise<void> {
    await Promise.race([this.#mock.stop(), sleep(1_000)])
  }

  /** Notes a request and the end of its connection; aimock answers it. */
  #watch(request: IncomingMessage, response: ServerResponse): boolean {
    const served: ServedRequest = {
      at: Date.now(),
      path: request.url ?? '',
      authorization: request.headers.authorization ?? '',
    }
    this.served.push(served)
    holdBack(response, (chunk) => [...this.#held].find(({ id }) => chunk.includes(`"id":"${id}"`)))
    response.on('close', () => {
      served.closed_at = Date.now()
      served.finished = response.writableFinished
    })
    return false
  }

  async #answerRaw(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
    this.#watch(request, response)
    request.resume()
    const raw = this.#raw.get(path.split('/')[1] ?? '')
    const lines = raw?.answers[raw.used]
    if (!raw || !lines) throw new Error(`The scripted model: nothing is scripted for ${path}`)
    raw.used += 1
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const line of lines) response.write(`data: ${line}\n\n`)
    response.end()
    return true
  }
}

function toFixture(cue: string, script: Script, index: number, step: Step): Fixture {
  return {
    match: { predicate: (request) => script.used === index && lastUserText(request).includes(cue) },
    response: () => {
      script.used += 1
      return toResponse(step)
    },
    chunkSize: step.piece ?? 8,
    ...(step.break_after_pieces !== undefined && { truncateAfterChunks: step.break_after_pieces }),
    streamingProfile: {
      ttft: step.after_ms ?? 0,
      ...(step.pieces_per_second !== undefined && { tps: step.pieces_per_second }),
    },
  }
}

function toResponse(step: Step): FixtureResponse {
  if ('fail' in step) {
    const error = { message: step.words ?? `scripted ${step.fail}`, type: 'scripted' }
    return { error, status: step.fail, ...(step.retry_after !== undefined && { retryAfter: step.retry_after }) }
  }
  const calls = (step.call ?? []).map((call) => ({
    name: call.name,
    arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
  }))
  const { held, finish, reasoning } = step
  const more = {
    ...(held && { id: held.id }),
    ...(finish && { finishReason: finish }),
    ...(reasoning && { reasoning }),
  }
  if ('say' in step) return { content: step.say, ...(calls.length > 0 && { toolCalls: calls }), ...more }
  return { toolCalls: calls, ...more }
}

function lastUserText(request: ChatCompletionRequest): string {
  const content = request.messages.findLast(({ role }) => role === 'user')?.content ?? ''
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('')
}

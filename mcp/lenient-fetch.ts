// A fetch for MCP over HTTP that reads what servers answer in place of what the protocol asks for: wrong media types, responses
// in an unusual form, errors with a status of HTTP, an answer without an event stream to a request for one.
import { createParser } from 'eventsource-parser'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { isObject, tryParse } from '../contracts/json.ts'
import { shorten } from '../contracts/shorten.ts'
import { withExactStructure } from './exact-structure.ts'
import { repairMessage } from './repair-message.ts'

const INTERNAL_ERROR = -32_603
/** Statuses that say something about the session, the sign-in or the transport, not about the call. */
const NOT_OF_THE_CALL = [401, 403, 404, 405]

/** @param kind of the transport: only the newer one may be without an event stream */
export function lenientFetch(fetch: FetchLike, kind: 'http' | 'sse'): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, init)
    const request = requestOf(init?.body)
    const isEvents = mediaTypeOf(response) === 'text/event-stream'
    if (response.ok && isEvents && response.body) return withBody(response, repairEvents(response.body, request?.id))
    if (kind === 'sse') return response
    if (asksForStream(init) && response.ok) {
      await response.body?.cancel()
      // By this status the client knows that there is no stream, and asks no more.
      return new Response(null, { status: 405 })
    }
    if (request?.id === undefined) return response
    if (response.ok && response.status !== 202) return readAnswer(response, request.id)
    const mayAnswer = response.status >= 400 && !NOT_OF_THE_CALL.includes(response.status)
    return mayAnswer && request.method === 'tools/call' ? readRefusal(response, request.id) : response
  }
}

/** A response with status 200: JSON, or events, whatever it is called. */
async function readAnswer(response: Response, id: unknown): Promise<Response> {
  const text = (await response.text()).replace(/^\uFEFF/, '').trim()
  const messages = tryParse(text) ?? eventsIn(text)
  if (messages !== undefined && (!Array.isArray(messages) || messages.length > 0)) {
    const repaired = withExactStructure(repairMessage(messages, id), text)
    if ([repaired].flat().every(isMessage)) return jsonOf(response, repaired)
  }
  const told = text === '' ? 'nothing' : `${mediaTypeOf(response) || 'no media type'}: ${shorten(text)}`
  const message = `the response must be a message of JSON-RPC, got ${told}`
  return jsonOf(response, { jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message } })
}

/** A response with an error status whose body is the answer to the call. Otherwise the status is what counts. */
async function readRefusal(response: Response, id: unknown): Promise<Response> {
  const text = await response.text()
  const answer = tryParse(text)
  const isAnswer =
    isObject(answer) && String(answer['id']) === String(id) && isObject(answer['error'] ?? answer['result'])
  if (!isAnswer || /session/i.test(text.slice(0, 1_000))) return withBody(response, text)
  const { headers } = response
  return new Response(JSON.stringify(repairMessage(answer, id)), { status: 200, headers: asJson(headers) })
}

function repairEvents(body: ReadableStream<Uint8Array>, id: unknown): ReadableStream<Uint8Array> {
  let retry = ''
  const lines = new TransformStream<{ id?: string; event?: string; data: string }, string>({
    transform(event, controller) {
      const parsed = tryParse(event.data)
      const repaired = withExactStructure(repairMessage(parsed, id), event.data)
      const name = event.event === undefined ? '' : `event: ${event.event}\n`
      const mark = event.id === undefined ? '' : `id: ${event.id}\n`
      // The client takes no batches in a stream.
      const all = Array.isArray(repaired) ? repaired.map((each) => JSON.stringify(each)) : undefined
      const told = all ?? [repaired === parsed ? event.data : JSON.stringify(repaired)]
      const sent = told.map((data, index) => {
        const isLast = index === told.length - 1
        const lines = data.split('\n').map((line) => `data: ${line}\n`)
        return `${name}${isLast ? mark : ''}${lines.join('')}\n`
      })
      controller.enqueue(retry + sent.join(''))
      retry = ''
    },
  })
  const onRetry = (ms: number) => {
    retry = `retry: ${ms}\n`
  }
  return (body as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ onRetry }))
    .pipeThrough(lines)
    .pipeThrough(new TextEncoderStream())
}

function eventsIn(text: string): unknown[] | undefined {
  if (!/^(?:event|data|id|retry)?:/.test(text)) return undefined
  const messages: unknown[] = []
  const parser = createParser({ onEvent: ({ data }) => void messages.push(tryParse(data)) })
  parser.feed(`${text}\n\n`)
  return messages.filter((message) => message !== undefined)
}

function requestOf(body: unknown): { id?: unknown; method?: unknown } | undefined {
  const message = typeof body === 'string' ? tryParse(body) : undefined
  return isObject(message) && 'method' in message ? message : undefined
}

function asksForStream(init: RequestInit | undefined): boolean {
  return (init?.method ?? 'GET') === 'GET' && new Headers(init?.headers).get('accept') === 'text/event-stream'
}

function mediaTypeOf(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
}

function isMessage(value: unknown): boolean {
  return isObject(value) && ('method' in value || 'result' in value || 'error' in value)
}

function jsonOf({ headers }: Response, message: unknown): Response {
  return new Response(JSON.stringify(message), { status: 200, headers: asJson(headers) })
}

function asJson(given: Headers): Headers {
  const headers = new Headers(given)
  headers.set('content-type', 'application/json')
  return headers
}

function withBody({ status, statusText, headers }: Response, body: BodyInit): Response {
  return new Response(body, { status, statusText, headers })
}

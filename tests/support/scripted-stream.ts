// An HTTP server that answers each request by the next part of a script, down to single bytes.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { Http } from '../../client/http.ts'

export interface SeenRequest {
  method: string
  path: string
  lastEventId: string | undefined
  key: string | undefined
  authorization: string | undefined
  at: number
}

/** @returns undefined to leave the connection open */
export type Answered = (response: ServerResponse) => unknown

export interface ScriptedStream {
  http: Http
  requests: SeenRequest[]
  /** Connections that are open. */
  open: () => number
}

/** Starts it for the time of a test. A request beyond the script is answered with 500. */
export async function scriptedStream(...script: Answered[]): Promise<ScriptedStream> {
  const requests: SeenRequest[] = []
  let open = 0
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    const one = (name: string) => headers[name] as string | undefined
    requests.push({
      method,
      path: url.replace('/api/v1', ''),
      lastEventId: one('last-event-id'),
      key: one('idempotency-key'),
      authorization: headers.authorization,
      at: performance.now(),
    })
    request.resume()
    open += 1
    response.on('close', () => (open -= 1))
    const answer = script[requests.length - 1] ?? refuse(500, {})
    answer(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { http: new Http({ serverUrl }), requests, open: () => open }
}

/** An event as the server frames it. */
export function frame(id: number, type: string, data: object): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The events of a turn that says something, from 1. */
export function turnFrames(...pieces: string[]): string[] {
  const ids = { turn_id: 'turn_1', conversation_id: 'conv_1' }
  const events: [string, object][] = [
    ['accepted', { ...ids, message_id: 'msg_1' }],
    ['message_start', { ...ids, id: 'msg_1', agent_id: 'tea', created_at: '2026-01-01T00:00:00.000Z' }],
    ...pieces.map((content): [string, object] => ['content', { content, step: 1 }]),
    ['message_end', { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 2 } }],
  ]
  return events.map(([type, data], index) => frame(index + 1, type, data))
}

const head = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
}

/** Sends frames, then the clean end of the answer. */
export const ends =
  (...frames: string[]): Answered =>
  (response) => {
    head(response)
    response.end(frames.join(''))
  }

/** Sends frames, then breaks the connection. */
export const breaks =
  (...frames: string[]): Answered =>
  (response) => {
    head(response)
    response.write(frames.join(''), () => response.socket?.resetAndDestroy())
  }

/** Sends frames, then nothing more. */
export const hangs =
  (...frames: string[]): Answered =>
  (response) => {
    head(response)
    response.write(frames.join(''))
  }

/** Sends frames in pieces of some bytes. */
export const drips =
  (size: number, ...frames: string[]): Answered =>
  async (response) => {
    head(response)
    const bytes = Buffer.from(frames.join(''))
    for (let from = 0; from < bytes.length; from += size) {
      response.write(bytes.subarray(from, from + size))
      await sleep(0)
    }
    response.end()
  }

/** An error of the server, or of a proxy when it has no body. */
export const refuse =
  (status: number, headers: Record<string, string>, body?: object): Answered =>
  (response) => {
    response.writeHead(status, { ...(body && { 'content-type': 'application/json' }), ...headers })
    response.end(body && JSON.stringify(body))
  }

/** An answer in JSON. */
export const replies =
  (body: object): Answered =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

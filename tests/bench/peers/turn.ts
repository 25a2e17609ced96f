// One turn of a peer over HTTP, read to the end of its response and checked word by word, and many of them at once.
import { Agent, request } from 'node:http'
import type { SseEvent, TurnRequest, Wire } from './peers.ts'

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const TURNS_A_CONVERSATION = 10
const TIMEOUT_MS = 120_000

export interface Reply {
  words: number
  gap_ms: number
}

export interface Turn {
  /** Left out: the reply is exactly the scripted words and its response has ended. */
  error?: string
  /** Milliseconds from sending the request to the first word. */
  first: number
  text: string
}

export interface Load {
  per_second: number
  errors: string[]
}

export const say = ({ words, gap_ms }: Reply, tag?: string) => `SAY ${words} ${gap_ms}${tag ? ` as ${tag}` : ''}`
export const wholeReply = ({ words }: Reply) => Array.from({ length: words }, (_, i) => `w${i}`).join(' ')

/** Sends a turn. Never rejects: what goes wrong is the turn's `error`. */
export function runTurn(
  wire: Wire,
  url: string,
  turn: TurnRequest,
  reply: Reply,
  onEvent?: (event: SseEvent) => void,
): Promise<Turn> {
  const { method = 'POST', path, headers, body } = turn
  return new Promise((resolve) => {
    const startedAt = performance.now()
    let first: number | undefined
    let text = ''
    let rest = ''
    let wrong: string | undefined
    let status = 0
    const finish = (error?: string) => {
      const incomplete = text.trim() === wholeReply(reply) ? undefined : `replied ${JSON.stringify(text.slice(0, 80))}`
      const fault = error ?? wrong ?? incomplete
      resolve({ ...(fault !== undefined && { error: fault }), first: (first ?? Number.NaN) - startedAt, text })
    }
    const sent = request(
      `${url}${path}`,
      {
        method,
        agent,
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
      },
      (response) => {
        status = response.statusCode ?? 0
        response.setEncoding('utf8').on('data', (part: string) => {
          const now = performance.now()
          if (status >= 300) wrong = `status ${status}: ${part.slice(0, 200)}`
          const frames = (rest + part.replaceAll('\r\n', '\n')).split('\n\n')
          rest = frames.pop()!
          for (const frame of frames) {
            const event = parseEvent(frame)
            if (event.data === '') continue
            try {
              onEvent?.(event)
              if (wire.failed?.(event)) wrong = event.data.slice(0, 200)
              const replaced = wire.reset?.(event)
              if (replaced !== undefined) text = replaced
              const word = wire.word(event)
              if (!word) continue
              first ??= now
              text += word
            } catch (error) {
              wrong = `${String(error)} in ${frame.slice(0, 200)}`
            }
          }
        })
        // A turn is whole when the response has ended: what a peer still stores after its last word then counts.
        response.on('end', () => finish()).on('error', (error) => finish(error.message))
      },
    )
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error('timed out')))
    sent.on('error', (error) => finish(error.message)).end(body && JSON.stringify(body))
  })
}

function parseEvent(frame: string): SseEvent {
  const event: SseEvent = { event: 'message', data: '' }
  for (const line of frame.split('\n')) {
    if (line.startsWith('event:')) event.event = line.slice(6).trim()
    if (line.startsWith('data:')) event.data += line.slice(5).trimStart()
  }
  return event
}

/** @returns a function that runs the next turn, ten of them in each conversation */
export function talker(wire: Wire, url: string, name: string, reply: Reply): () => Promise<Turn> {
  let count = 0
  return () => {
    const conversation = `${name}-${Math.floor(count++ / TURNS_A_CONVERSATION)}`
    return runTurn(wire, url, wire.request({ conversation, text: say(reply) }), reply)
  }
}

export interface LoadOptions {
  name: string
  reply: Reply
  at_once: number
  turns: number
}

/** Runs so many turns with so many callers at once. */
export async function runLoad(wire: Wire, url: string, { name, reply, at_once, turns }: LoadOptions): Promise<Load> {
  const done: Turn[] = []
  const startedAt = performance.now()
  let left = turns
  await Promise.all(
    Array.from({ length: at_once }, async (_, caller) => {
      const next = talker(wire, url, `${name}-${caller}`, reply)
      while (left-- > 0) done.push(await next())
    }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  const errors = done.flatMap(({ error }) => error ?? [])
  return { per_second: (done.length - errors.length) / seconds, errors }
}

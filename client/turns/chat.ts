// A message and its whole reply.
import { type MessageOptions, requestOf } from './chat-request.ts'
import { type CallOptions, type Http, newKey } from '../http.ts'
import { segmentOf } from '../operations.ts'
import { Turn } from './turn.ts'
import type { Approval, Receipt, Reply } from '../types.ts'

export interface ChatOptions extends CallOptions, MessageOptions {
  /** Alias of `agentName`. */
  agent_name?: string | undefined
}

/** The reply of an agent: `String(reply)` is its text. */
export type ChatReply = Reply & {
  text: string
  /** What the turn waits for: nothing, unless `status` is `awaiting_approval`. */
  approvals: Approval[]
  toString(): string
}

const pathOf = ({ agentName, agent_name }: ChatOptions) => {
  const name = agentName ?? agent_name
  return `${name === undefined ? '' : `/agents/${segmentOf('agentName', name)}`}/chat`
}

export function streamReply(http: Http, text: string, options: ChatOptions): Turn {
  return Turn.start(http, `${pathOf(options)}/stream`, requestOf(http, text, options), options)
}

/** A lost answer is asked for again under the same key: for about half a minute, unless nothing is to be repeated. */
const OUTAGE_RETRIES = 8

/** Sends a message and waits for the reply, as long as it takes, or until the turn needs an approval. */
export async function askForReply(http: Http, text: string, options: ChatOptions): Promise<ChatReply> {
  const { idempotencyKey = newKey(), signal, timeoutMs, maxRetries, headers } = options
  const retries = http.options.maxRetries
  const outageRetries = maxRetries ?? (retries && Math.max(OUTAGE_RETRIES, retries))
  const json = await requestOf(http, text, options)
  const { data, response } = await http
    .json<Reply | Receipt>('POST', pathOf(options), {
      signal,
      timeoutMs,
      maxRetries,
      headers,
      json,
      idempotencyKey,
      outageRetries,
    })
    .withResponse()
  if (response.status === 200) return replyOf(data as Reply)
  const { lateReply } = await import('./late-reply.ts')
  return replyOf(...(await lateReply(http, data.turn_id, json, { signal, headers })))
}

function replyOf(reply: Reply, approvals: Approval[] = []): ChatReply {
  const text = reply.agent_response?.content ?? ''
  return Object.defineProperty({ ...reply, text, approvals } as ChatReply, 'toString', { value: () => text })
}

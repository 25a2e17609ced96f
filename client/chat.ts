// A message and its whole reply.
import { type MessageOptions, requestOf } from './chat-request.ts'
import { type CallOptions, type Http, newKey } from './http.ts'
import { segmentOf } from './operations.ts'
import { Turn } from './turn.ts'
import type { Approval, ChatRequest, Receipt, Reply, TurnRecord } from './types.ts'

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

/** Sends a message and waits for the reply, as long as it takes, or until the turn needs an approval. */
export async function askForReply(http: Http, text: string, options: ChatOptions): Promise<ChatReply> {
  const { idempotencyKey = newKey(), signal, timeoutMs, maxRetries, headers } = options
  const json = await requestOf(http, text, options)
  const { data, response } = await http
    .json<Reply | Receipt>('POST', pathOf(options), { signal, timeoutMs, maxRetries, headers, json, idempotencyKey })
    .withResponse()
  return response.status === 200 ? replyOf(data as Reply) : waitForReply(http, data.turn_id, json, { signal, headers })
}

async function waitForReply(
  http: Http,
  id: string,
  { content }: ChatRequest,
  call: Pick<ChatOptions, 'signal' | 'headers'>,
): Promise<ChatReply> {
  const turn = Turn.resume(http, id, call)
  const read = () => http.json<TurnRecord>('GET', `/turns/${id}`, call)
  let record: TurnRecord | undefined
  for await (const _ of turn) {
    if (turn.message.status !== 'awaiting_approval') continue
    record = await read()
    // It may have been decided since.
    if (record.status === 'awaiting_approval') break
  }
  record ??= await read()
  if (record.status !== 'awaiting_approval') record = await read()
  const { message, approvals, turn_id, agent_id, user_id, conversation_id, status, created_at } = record
  const ids = { id: turn.message.id, turn_id, agent_id, user_id, conversation_id }
  const user_message = { role: 'user' as const, content }
  const usage = { input_tokens: 0, output_tokens: 0 }
  return replyOf(
    message ?? { ...ids, status, user_message, usage, created_at },
    approvals.filter((each) => each.status === 'waiting'),
  )
}

function replyOf(reply: Reply, approvals: Approval[] = []): ChatReply {
  const text = reply.agent_response?.content ?? ''
  return Object.defineProperty({ ...reply, text, approvals } as ChatReply, 'toString', { value: () => text })
}

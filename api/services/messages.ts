// Messages of a conversation as pages and downloads, with what their turns did.
import { Readable } from 'node:stream'
import { notFound, wrongField } from '../../contracts/failures.ts'
import { AUTO } from '../../contracts/routing.ts'
import { turnError, turnUsage } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import {
  listMessages,
  type ConversationView,
  type MessageFilter,
  type MessageView,
} from '../../db/queries/conversations.ts'
import { readTurns, type TurnRows } from '../../db/queries/message-turns.ts'
import { listTurnRequests } from '../../db/queries/turn-requests.ts'
import type { Db } from '../../db/schema.ts'
import { viewApproval } from './approvals.ts'
import { viewCall } from './turns.ts'

const PAGE = 100

/** A message; with its turn when it is the user's, or a reply without the user's message in its page. */
export type MessageWithTurn = MessageView & { turn?: ReturnType<typeof viewTurnOf> }

/** Adds to each user's message what its turn did, and to each reply of which that message is not in the page. */
export async function withTurns(db: Db, messages: MessageView[]): Promise<MessageWithTurn[]> {
  const asked = new Set(messages.flatMap(({ role, turn_id }) => (role === 'user' ? [turn_id] : [])))
  return withTurnsAt(db, messages, ({ role, turn_id }) => role === 'user' || !asked.has(turn_id))
}

async function withTurnsAt(
  db: Db,
  messages: MessageView[],
  isPlace: (message: MessageView) => boolean,
): Promise<MessageWithTurn[]> {
  const turns = await readTurns(
    db,
    messages.filter(isPlace).map(({ turn_id }) => turn_id),
  )
  return messages.map((message) => {
    const rows = isPlace(message) ? turns.get(message.turn_id) : undefined
    return { ...message, ...(rows && { turn: viewTurnOf(rows) }) }
  })
}

function viewTurnOf({ turn, calls, approvals }: TurnRows) {
  const { id, status, agent_id, finish_reason, routing_confidence, started_at, finished_at } = turn
  return {
    turn_id: id,
    status,
    agent_id,
    ...(finish_reason !== null && { finish_reason }),
    ...(routing_confidence !== null && { routing_confidence }),
    ...(turn.usage !== null && { usage: parseColumn(turnUsage, turn.usage, id) }),
    ...(turn.error !== null && { error: parseColumn(turnError, turn.error, id) }),
    started_at,
    finished_at,
    tool_calls: calls.map(viewCall),
    approvals: approvals.map(viewApproval),
  }
}

export interface MessagePage {
  /** Newest first. */
  messages: MessageView[]
  /** Whether there are older ones, which `next_cursor` leads to; false of an empty page. */
  has_more: boolean
  next_cursor: string | null
  /** Whether there are newer ones: `after` the first message of the page leads to them. */
  has_newer: boolean
}

/**
 * The newest messages, those before or after one, or those around one.
 * @throws MuxiError bad_request, not_found
 */
export async function pageOfMessages(
  db: Db,
  conversationId: string,
  { limit, cursor, after, around }: { limit: number; cursor?: string; after?: string; around?: string },
): Promise<MessagePage> {
  const [first, second] = Object.entries({ cursor, after, around }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  )
  if (second !== undefined) throw wrongField('list messages', second, `left out, because '${first}' is given`)
  const list = (where: Omit<MessageFilter, 'limit'>, most: number) =>
    listMessages(db, conversationId, { ...where, limit: most + 1 })
  if (around !== undefined) {
    const half = Math.ceil(limit / 2)
    const older = await list({ up_to: around }, half)
    if (older[0]?.id !== around) throw notFound('message', around)
    const newer = await list({ after: around }, limit - half)
    return toPage(newer.slice(0, limit - half), older.slice(0, half), older.length > half, newer.length > limit - half)
  }
  if (after !== undefined) {
    const [found] = await listMessages(db, conversationId, { up_to: after, with_superseded: true, limit: 1 })
    if (found?.id !== after) throw notFound('message', after)
    const newer = await list({ after }, limit)
    return toPage(newer.slice(0, limit), [], newer.length > 0, newer.length > limit)
  }
  const older = await list({ before: cursor }, limit)
  return toPage([], older.slice(0, limit), older.length > limit, cursor !== undefined)
}

/** @param newer oldest first @param older newest first */
function toPage(newer: MessageView[], older: MessageView[], has_more: boolean, has_newer: boolean): MessagePage {
  const messages = [...newer.toReversed(), ...older]
  return { messages, has_more, next_cursor: has_more ? messages.at(-1)!.id : null, has_newer }
}

/** All messages of a conversation, oldest first, a page at a time; each user's message with its turn. */
async function* allMessages(db: Db, conversationId: string, with_superseded = false): AsyncGenerator<MessageWithTurn> {
  for (let after = ''; ;) {
    const messages = await listMessages(db, conversationId, { limit: PAGE, after, with_superseded })
    yield* await withTurnsAt(db, messages, ({ role }) => role === 'user')
    if (messages.length < PAGE) return
    after = messages.at(-1)!.id
  }
}

/** A conversation as a download. */
export function exportConversation(db: Db, conversation: ConversationView, format: 'md' | 'json'): Response {
  const texts = format === 'md' ? toMarkdown(db, conversation) : toJson(db, conversation)
  return download(
    texts,
    `${conversation.id}.${format}`,
    format === 'md' ? 'text/markdown; charset=utf-8' : 'application/json',
  )
}

async function* toJson(db: Db, conversation: ConversationView): AsyncGenerator<string> {
  yield* jsonOf(db, conversation)
  yield '\n'
}

/** The JSON of a conversation in pieces. @param withSuperseded also messages that were replaced */
export async function* jsonOf(db: Db, conversation: ConversationView, withSuperseded = false): AsyncGenerator<string> {
  yield `${JSON.stringify(conversation).slice(0, -1)},"messages": [`
  let separator = '\n'
  for await (const message of allMessages(db, conversation.id, withSuperseded)) {
    yield separator + JSON.stringify(message)
    separator = ',\n'
  }
  // What the messages of a hidden conversation brought.
  const requests = await listTurnRequests(db, conversation.id)
  yield requests.length > 0 ? `],"requests": ${JSON.stringify(requests)}}` : ']}'
}

async function* toMarkdown(db: Db, { id, title, agent_id }: ConversationView): AsyncGenerator<string> {
  yield `# ${oneLine(title ?? id)}\n`
  // A user's message has the turn, the reply after it what the turn did.
  let turn: MessageWithTurn['turn']
  for await (const message of allMessages(db, id)) {
    const { role, content, created_at, attachments, status } = message
    if (role === 'user') turn = message.turn
    const answered = turn?.turn_id === message.turn_id ? turn : undefined
    const agent = answered?.agent_id ?? agent_id
    const who = role === 'user' ? 'User' : agent === AUTO ? 'Agent' : agent
    const ended = status === 'completed' ? '' : `, ${status}`
    yield `\n## ${who}, ${created_at}${ended}\n\n${content}\n`
    for (const { name } of attachments) yield `\n- Attached: ${oneLine(name)}\n`
    if (role === 'user') continue
    for (const { name, server, is_error } of answered?.tool_calls ?? [])
      yield `\n- Tool call: ${oneLine(name)} (${oneLine(server)})${is_error ? ', failed' : ''}\n`
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** Texts as a file that the browser saves. @param name letters, digits, `_`, `-` and `.` only */
export function download(texts: AsyncIterable<string>, name: string, type: string): Response {
  const bytes = Readable.from(texts, { objectMode: false })
  return new Response(Readable.toWeb(bytes) as unknown as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="${name}"`,
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

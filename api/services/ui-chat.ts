// What useChat sends: its chat is a conversation, its last message or its answers to approvals begin or continue a turn.
import { UiChunks, type UiChunk } from '../../client/ui/ui-chunks.ts'
import { AUTO } from '../../contracts/routing.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import type { UiChatRequest } from '../../contracts/schemas/ui-stream.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { readAllEvents } from '../../db/event-rows.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import {
  ensureExternal,
  findExternal,
  findExternalMessage,
  findRunningTurn,
  findTurnOfReply,
  type ExternalConversation,
  type ExternalMessage,
} from '../../db/queries/external-ids.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { findPosition } from '../../db/queries/turn-queue.ts'
import type { TurnsTable } from '../../db/schema.ts'
import { plainName } from '../multipart.ts'
import { idempotencyKeyOf, readUiRequest, type UiAnswers, type UiSubmission } from '../ui-stream/request.ts'
import { seenBy } from '../ui-stream/seen-by.ts'
import { actingUser } from './access.ts'
import { decide, isParked } from './approvals.ts'
import { acceptMessage } from './chat.ts'
import type { ApiContext } from './context.ts'
import { resumeEvents } from './events.ts'
import { getTurnOrThrow } from './turns.ts'

type Chunks = AsyncGenerator<UiChunk[]>

/** Accepts what a request of useChat asks for. @returns the chunks of its turn @throws MuxiError */
export async function sendUi(
  context: ApiContext,
  principal: Principal,
  { agent_id, request, signal }: { agent_id: string; request: UiChatRequest; signal: AbortSignal },
): Promise<Chunks | undefined> {
  const { db } = context.storage
  const asked = readUiRequest(request)
  const user_id = actingUser(principal, request.user_id)
  const chat = { user_id, agent_id, external_id: request.id }
  if (agent_id !== AUTO) await getAgentOrThrow(db, agent_id)
  if (asked.kind === 'answers') {
    const turn = await answered(context, principal, await findExternal(db, chat), asked)
    return follow(context, turn, signal, asked.known)
  }
  const conversation_id = await findExternal(db, chat)
  const current =
    conversation_id === undefined ? undefined : await findExternalMessage(db, conversation_id, asked.client_id)
  // Under the key of the request, one that was stored but not started is started again.
  const isUnstarted = asked.change === 'new' && current?.status === 'pending'
  const turn_id =
    current && isRepeated(asked, current) && !isUnstarted
      ? current.turn_id
      : await submit(context, principal, {
          chat,
          request,
          conversation_id,
          asked,
          current: isUnstarted ? undefined : current,
        })
  return follow(context, await getTurnOrThrow(context, principal, turn_id), signal)
}

/** The chunks of the running turn of a chat from its beginning; undefined when none runs. */
export async function resumeUi(
  context: ApiContext,
  principal: Principal,
  { signal, ...chat }: { agent_id: string; user_id: string | undefined; external_id: string; signal: AbortSignal },
): Promise<Chunks | undefined> {
  const { db } = context.storage
  if (chat.agent_id !== AUTO) await getAgentOrThrow(db, chat.agent_id)
  const conversation = await findExternal(db, { ...chat, user_id: actingUser(principal, chat.user_id) })
  const turnId = conversation === undefined ? undefined : await findRunningTurn(db, conversation)
  return turnId === undefined ? undefined : follow(context, await getTurnOrThrow(context, principal, turnId), signal)
}

interface Submitted {
  chat: ExternalConversation
  request: UiChatRequest
  /** Of a chat that has begun. */
  conversation_id: string | undefined
  asked: UiSubmission
  current: ExternalMessage | undefined
}

async function submit(
  context: ApiContext,
  principal: Principal,
  { chat, request, conversation_id, asked, current }: Submitted,
): Promise<string> {
  const { agent_id, external_id } = chat
  const { user_id, on_busy, response_schema } = request
  const kept = asked.change === 'regenerate' ? current : undefined
  const { turn_id } = await acceptMessage(context, principal, {
    agent_id,
    request: {
      content: kept?.content ?? asked.content,
      attachments: kept ? kept.attachments.map(inputOf) : asked.attachments,
      ...(user_id !== undefined && { user_id }),
      ...(response_schema !== undefined && { response_schema }),
      // The reply that is replaced is not waited for.
      ...(current ? { replaces: current.id, on_busy: on_busy ?? 'interrupt' } : on_busy && { on_busy }),
    },
    idempotency_key: idempotencyKeyOf(asked, current?.id),
    route: `chat/${agent_id}/ui/${chat.user_id}/${external_id}`,
    external_id: asked.client_id,
    conversation: { id: conversation_id, findOrCreate: (tx) => ensureExternal(tx, chat) },
  })
  return turn_id
}

/** Whether the message, or the change of it, is there already: a request may be sent twice. */
function isRepeated({ change, content, attachments, reply_id }: UiSubmission, current: ExternalMessage): boolean {
  if (change === 'new') return true
  const { finished_at, reply_id: known } = current
  // A regenerated reply has another id than the one that was to be replaced.
  if (change === 'regenerate') return reply_id !== undefined && reply_id !== known && finished_at === null
  const names = (files: readonly { name: string }[]) => files.map(({ name }) => plainName(name)).join('\n')
  return finished_at === null && content === current.content && names(attachments) === names(current.attachments)
}

function inputOf({ type, name, file_id = '' }: ExternalMessage['attachments'][number]): AttachmentInput {
  return { type, name, file_id }
}

/** Decides as the client has; what was decided before stays. @returns the turn @throws MuxiError not_found, bad_request */
async function answered(
  context: ApiContext,
  principal: Principal,
  conversation: string | undefined,
  { reply_id, decisions }: UiAnswers,
): Promise<TurnsTable> {
  const turn =
    conversation === undefined ? undefined : await findTurnOfReply(context.storage.db, conversation, reply_id)
  if (!turn) throw notFound('message', reply_id)
  for (const { id, approved, reason } of decisions) {
    const decision = approved ? ('approve' as const) : ('deny' as const)
    await decide(context, principal, turn, id, { decision, ...(reason !== undefined && { reason }) }).catch(
      (error: unknown) => {
        if (!(error instanceof MuxiError && error.code === 'conflict')) throw error
      },
    )
  }
  return turn
}

/** @param known the approvals that the client has been asked for, when it continues a reply: what it has seen is left out */
async function follow(
  context: ApiContext,
  turn: TurnsTable,
  signal: AbortSignal,
  known?: ReadonlySet<string>,
): Promise<Chunks | undefined> {
  const seen = known ? seenBy(await readAllEvents(context.storage.db, turn.id), known) : 0
  const queued = turn.activated_at === null ? await findPosition(context.storage.db, turn) : undefined
  const events = await resumeEvents(context.storage, turn, 0, signal)
  return events && chunksOf(context, turn.id, events, { seen, queued })
}

async function* chunksOf(
  { storage: { db } }: ApiContext,
  turnId: string,
  events: AsyncGenerator<StoredEvent[]>,
  { seen, queued }: { seen: number; queued: object | undefined },
): Chunks {
  const translated = new UiChunks()
  for await (const batch of events) {
    const chunks: UiChunk[] = []
    for (const event of batch) {
      const next = translated.next(event)
      // The first chunk says which message goes on.
      if (event.id > seen || event.type === 'accepted') chunks.push(...next)
      if (queued && event.type === 'accepted') chunks.push({ type: 'data-muxi-queued', data: queued, transient: true })
      const parked = translated.parkedFor
      if (event.id < seen || parked.length === 0) continue
      if (!(await isParked(db, turnId, parked))) continue
      yield [...chunks, ...translated.park()]
      return
    }
    if (chunks.length > 0) yield chunks
  }
}

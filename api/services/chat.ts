// Accepting a message: first the row, then the workflow, then the receipt; idempotent under an Idempotency-Key.
import type { StoredEvent } from '../../contracts/events.ts'
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import { AUTO } from '../../contracts/routing.ts'
import { isRemembering } from '../../contracts/schemas/agent.ts'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import type { ChatRequest } from '../../contracts/schemas/chat.ts'
import { findAgent, getAgentOrThrow } from '../../db/queries/agents.ts'
import { ensureDefaultConversation, findDefaultConversation } from '../../db/queries/default-conversations.ts'
import { findIdempotent, findMade, insertIdempotent, type IdempotentRequest } from '../../db/queries/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { createOwnConversation } from '../../db/queries/own-conversations.ts'
import { findKnownRoute, type Route } from '../../db/queries/routing.ts'
import { requestStopIn } from '../../db/queries/stop-requests.ts'
import { finishTurn } from '../../db/queries/turn-ends.ts'
import { admit } from '../../db/queries/admission.ts'
import { insertTurnRequest } from '../../db/queries/turn-requests.ts'
import { findPosition, findStartable, listOvertaken, type StartableTurn } from '../../db/queries/turn-queue.ts'
import { supersede, type Superseded } from '../../db/queries/superseded.ts'
import { addAccepted, markAccepted } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn, wasGivenUp } from '../../db/queries/turns.ts'
import type { Tx, TurnsTable } from '../../db/schema.ts'
import { actingUser, ownedOrThrow } from './access.ts'
import { insertAttachedJobs, storeAttachments } from './attachments.ts'
import { bodyHash } from './body-hash.ts'
import { checkBudgets, reserveFirst } from './budget-checks.ts'
import type { ApiContext, ApiLimits } from './context.ts'
import { startTurn, stopTurn } from './engine.ts'
import { checkQuota } from './files.ts'
import { giveUpTurn } from './give-up.ts'
import { carriedJson, checkBusy, checkConcurrent, checkSize, getReplacedOrThrow } from './message-checks.ts'
import { stopBelow } from './turns.ts'

/** The receipt. */
export interface AcceptedTurn {
  turn_id: string
  conversation_id: string
  message_id: string
  /** Number of turns before it in the conversation; 0 when it is active. */
  position: number
  /** The active turn, when it waits. */
  waits_for?: string
}

export interface Submission {
  /** `auto`: the orchestrator chooses. */
  agent_id: string
  request: ChatRequest
  /** Set when the message brings its whole conversation: its turn has a conversation of its own, which is hidden. */
  carried?: CarriedRequest | undefined
  idempotency_key?: string | undefined
  /** The scope of the key's uniqueness. */
  route: string
  /** The client's name of the message. */
  external_id?: string | undefined
  /** The conversation of a message that names none; without it, that is the default one. */
  conversation?: { id: string | undefined; findOrCreate: (tx: Tx) => Promise<string> } | undefined
}

type Context = Pick<ApiContext, 'storage' | 'vectors' | 'client' | 'startTurn' | 'headStarts' | 'log'> & {
  limits: Pick<
    ApiLimits,
    'attachments' | 'content_bytes' | 'carried_bytes' | 'turns_per_user' | 'turns_per_key' | 'user_bytes'
  >
}

/** Work after the transaction that inserted or found a turn. */
interface Inserted {
  receipt: AcceptedTurn
  /** An active turn whose workflow may not have been started yet. */
  start?: StartableTurn
  /** The usage row of its head start. */
  usageId?: string
  events: { turn_id: string; events: StoredEvent[] }[]
  /** The active turn that the new one interrupts. */
  interrupted?: string
  /** Of what the new one replaces: to be removed from the index. */
  documents?: string[]
}

/** Accepts a message: first the row, then the workflow, then the receipt. @throws MuxiError */
export async function acceptMessage(
  context: Context,
  principal: Principal,
  submission: Submission,
): Promise<AcceptedTurn> {
  const { storage, headStarts } = context
  const { receipt, start, usageId, events, interrupted, documents = [] } = await insert(context, principal, submission)
  for (const each of events) storage.events.publish(each.turn_id, each.events)
  if (interrupted !== undefined) interrupt(context, interrupted)
  if (!start) {
    discard(context, documents)
    return receipt
  }
  storage.events.keep(start.id)
  if (usageId !== undefined) headStarts?.begin(start, usageId)
  const isAhead = usageId !== undefined
  let accepted: StoredEvent[] | undefined
  try {
    await startTurn(context, start)
    accepted = await storage.db.transaction().execute((tx) => markAccepted(tx, start.id, isAhead))
  } catch (error) {
    // The outcome is unknown: the sweeper resolves it, and the request may be repeated under its Idempotency-Key.
    headStarts?.abort(start.id)
    // Clients of OpenAI repeat it without a key: it must not run twice.
    if (submission.carried && submission.idempotency_key === undefined) await giveUpTurn(context, start)
    throw error
  }
  if (!accepted) {
    headStarts?.abort(start.id)
    throw new MuxiError('unavailable', 'The message was accepted too late: please send it again', { retryAfter: 1 })
  }
  storage.events.publish(start.id, accepted)
  // Not before: a turn that is given up restores what it replaced.
  discard(context, documents)
  if (isAhead) headStarts?.confirm(start.id)
  return receipt
}

/** The row of the interrupted turn has the stop request already; this ends it at once. If this call is lost, the sweeper repeats it. */
function interrupt(context: Context, turnId: string): void {
  context.storage.stops.stop(turnId)
  const stopping = stopBelow(context.storage, turnId).then(() => stopTurn(context, turnId))
  stopping.catch((error: unknown) =>
    context.log.warn({ err: error, turn_id: turnId }, 'an interrupted turn will be cancelled by the sweeper'),
  )
}

/** What remains in the index when this fails is checked against the rows by every search. */
function discard({ vectors, log }: Context, documents: readonly string[]): void {
  for (const id of documents)
    vectors
      .discard(id)
      .catch((error: unknown) => log.warn({ err: error, document_id: id }, 'a replaced document stays in the index'))
}

async function insert(context: Context, principal: Principal, submission: Submission): Promise<Inserted> {
  const { storage, limits, headStarts } = context
  const { request, agent_id, carried } = submission
  const { key_id } = principal
  const user_id = actingUser(principal, request.user_id)
  checkSize(request, limits, carried !== undefined)
  const carriedText = carried && carriedJson(carried, limits)
  const known = submission.idempotency_key === undefined ? undefined : await idempotent(principal, submission)
  // Before anything that the message refers to is looked for: it may have been deleted since.
  if (known && (await findMade(storage.db, known)) !== undefined) {
    const repeated = await storage.db.transaction().execute((tx) => findRepeated(tx, known))
    if (repeated) return repeated
  }
  const attachments = await storeAttachments(storage, user_id, request.attachments ?? [], (bytes) =>
    checkQuota(context, user_id, bytes),
  )
  if (carried && agent_id !== AUTO) await getAgentOrThrow(storage.db, agent_id)
  const own = carried ? newId('conv') : ''
  const named = own || request.conversation_id
  const { conversation: other } = submission
  const begun = named ?? (other ? other.id : await findDefaultConversation(storage.db, agent_id, user_id))
  if (begun === undefined && agent_id !== AUTO) await getAgentOrThrow(storage.db, agent_id)
  const { content } = request
  const route =
    agent_id === AUTO && request.replaces === undefined
      ? await findKnownRoute(storage.db, { conversation_id: begun ?? '', content, attachments })
      : undefined

  return storage.db.transaction().execute(async (tx) => {
    const repeated = known && (await findRepeated(tx, known))
    if (repeated) return repeated

    if (carried) await createOwnConversation(tx, { id: own, agent_id, user_id })
    // Within the transaction: a refused message leaves no conversation.
    const conversation_id =
      begun ?? (await (other ? other.findOrCreate(tx) : ensureDefaultConversation(tx, agent_id, user_id)))
    const admission = await admit(tx, { conversation_id, user_id, key_id, hidden_in: own })
    const conversation = ownedOrThrow(
      { ...principal, bound_user: user_id },
      admission?.conversation,
      'conversation',
      conversation_id,
    )
    if (conversation.agent_id !== agent_id) {
      if (agent_id !== AUTO) await getAgentOrThrow(tx, agent_id)
      throw wrongField('read the message', 'conversation_id', `a conversation with '${agent_id}'`)
    }
    const { active_turn_id } = admission!
    const routed = agent_id === AUTO ? await agentOf(tx, route) : undefined
    const agent = routed ?? admission!.agent
    if (!agent && agent_id !== AUTO) throw notFound('agent', agent_id)
    const on_busy = request.on_busy ?? agent?.config.on_busy ?? 'queue'
    const replaced =
      request.replaces === undefined ? undefined : await getReplacedOrThrow(tx, conversation_id, request.replaces)
    const turn_id = newId('turn')
    const { waiting: cancelled, documents } = replaced
      ? await supersede(tx, { conversation_id, from: replaced, by: turn_id })
      : NOTHING
    const waiting = admission!.waiting - cancelled.length
    if (active_turn_id === undefined) checkConcurrent(admission!.concurrent, limits)
    else checkBusy(waiting, on_busy)

    const turn = {
      turn_id,
      user_message_id: newId('msg'),
      message_id: newId('msg'),
      conversation_id,
      // Without an agent, the turn's workflow chooses it.
      agent_id: routed?.id ?? agent_id,
      agent_version: agent?.version ?? 0,
      user_id,
      key_id,
      on_busy,
      content,
      external_id: submission.external_id,
      attachments,
      response_schema: request.response_schema,
      ...(routed && { routing_confidence: routed.confidence }),
      // The caller keeps the conversation, and repeats it with each request.
      remembers: !carried && agent !== undefined && isRemembering(agent.config.memory),
    }
    // In a conversation of the orchestrator a file is for every agent that answers there.
    const attached = await insertAttachedJobs(tx, { ...turn, agent_id }, carried !== undefined)
    await insertTurn(tx, { ...turn, attachments: attached }, active_turn_id === undefined ? 'active' : 'waiting')
    if (carriedText !== undefined) await insertTurnRequest(tx, turn.turn_id, carriedText)
    if (known) await insertIdempotent(tx, { ...known, result_id: turn.turn_id })
    const accepted = { turn_id, conversation_id, message_id: turn.message_id }
    const events: Inserted['events'] = []
    for (const each of cancelled) events.push(await cancelWaiting(tx, each, conversation_id))
    if (active_turn_id === undefined) {
      const { agent_id: chosen, agent_version } = turn
      const isAttached = attached.length > 0
      const start = { id: turn_id, conversation_id, agent_id: chosen, agent_version, user_id, attached: isAttached }
      const planned =
        isAttached || !agent ? undefined : headStarts?.plan(agent.config, agent.source, carriedText ?? content)
      const owner = { key_id, user_id, agent_id: chosen }
      const usageId = planned ? await reserveFirst(tx, turn_id, planned, owner) : await checkBudgets(tx, owner)
      return {
        receipt: { ...accepted, position: 0 },
        start,
        ...(usageId !== undefined && { usageId }),
        events,
        documents,
      }
    }
    await checkBudgets(tx, turn)
    events.push({ turn_id, events: await addAccepted(tx, turn_id, turn) })
    if (on_busy !== 'interrupt') {
      return { receipt: { ...accepted, position: waiting + 1, waits_for: active_turn_id }, events, documents }
    }
    for (const overtaken of await listOvertaken(tx, conversation_id)) {
      if (overtaken !== turn_id) events.push(await cancelWaiting(tx, overtaken, conversation_id))
    }
    await requestStopIn(tx, active_turn_id)
    const receipt = { ...accepted, position: 1, waits_for: active_turn_id }
    return { receipt, events, documents, interrupted: active_turn_id }
  })
}

const NOTHING: Superseded = { waiting: [], documents: [] }

async function cancelWaiting(tx: Tx, turn_id: string, conversation_id: string) {
  const end = await finishTurn(tx, { turn_id, conversation_id, status: 'cancelled' })
  return { turn_id, events: end?.events ?? [] }
}

/** The agent of a known route, unless it was deleted. */
async function agentOf(tx: Tx, route: Route | undefined) {
  const agent = route && (await findAgent(tx, route.agent_id))
  return agent && { ...agent, confidence: route.confidence }
}

/** What the key has begun. @throws MuxiError `conflict` when the key came with another body */
async function findRepeated(tx: Tx, known: IdempotentRequest): Promise<Inserted | undefined> {
  const made = await findIdempotent(tx, known)
  const before = made === undefined ? undefined : await findTurn(tx, made)
  // The client of a turn that was never accepted got an error: the key starts a new one.
  return before && !wasGivenUp(before) ? repeat(tx, before) : undefined
}

/** The receipt of an earlier request, and its unfinished work. */
async function repeat(tx: Tx, turn: TurnsTable): Promise<Inserted> {
  const { id, conversation_id, message_id, status, activated_at } = turn
  const place = activated_at === null ? await findPosition(tx, turn) : undefined
  const receipt = { turn_id: id, conversation_id, message_id, position: 0, ...place }
  if (status !== 'pending' || activated_at === null) return { receipt, events: [] }
  const start = await findStartable(tx, id)
  return { receipt, ...(start && { start }), events: [] }
}

async function idempotent(
  { key_id }: Principal,
  { agent_id, request, carried, route, idempotency_key = '' }: Submission,
) {
  return { key_id, route, idempotency_key, body_hash: await bodyHash(agent_id, request, carried) }
}

// Turns for users: read from rows, wait, stop, and the execution log.
import { setTimeout as delay } from 'node:timers/promises'
import { workflowId } from '../../contracts/temporal.ts'
import { isFinal, type StoredEvent } from '../../contracts/events.ts'
import { secondsUntil } from '../../contracts/budget.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { shownArguments } from '../../contracts/arguments.ts'
import { toolOutput } from '../../contracts/tool-output.ts'
import { logError, logInput, logOutput, logUsage, turnError, turnUsage } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { listApprovalsOfTurn } from '../../db/queries/approvals.ts'
import { requestStopBelow } from '../../db/queries/child-turns.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listLogOfTurn, listLogStates, readLogEntries } from '../../db/queries/log.ts'
import { lockConversation, parseAttachments } from '../../db/queries/conversations.ts'
import { listToolCalls } from '../../db/queries/steps.ts'
import { requestStop } from '../../db/queries/stop-requests.ts'
import { finishTurn } from '../../db/queries/turn-ends.ts'
import { findPosition } from '../../db/queries/turn-queue.ts'
import { findTurn, isFinalStatus } from '../../db/queries/turns.ts'
import type { Db, LogEntriesTable, ToolCallsTable, TurnsTable } from '../../db/schema.ts'
import { ownedOrThrow } from './access.ts'
import { isParked, viewApproval } from './approvals.ts'
import type { ApiContext } from './context.ts'
import { stopTurn } from './engine.ts'

/** Longest wait of a stop request for the turn's end, in milliseconds. */
const STOP_WAIT_MS = 5_000
/** Between two looks at a log that is followed, in milliseconds. */
const LOG_POLL_MS = 500
/** Entries of a log that are read at once. */
const LOG_BATCH = 100

/** @throws MuxiError not_found, also for another user's turn */
export async function getTurnOrThrow(context: ApiContext, principal: Principal, turnId: string): Promise<TurnsTable> {
  return ownedOrThrow(principal, await findTurn(context.storage.db, turnId), 'turn', turnId)
}

/** The view of a turn in `GET /turns/{turn_id}`. */
export async function viewTurn(context: ApiContext, turn: TurnsTable) {
  const message = await viewReply(context, turn)
  const approvals = (await listApprovalsOfTurn(context.storage.db, turn.id)).map(viewApproval)
  const place = await placeOf(context.storage.db, turn)
  return { ...viewTurnBriefly(context, turn), ...place, ...(message.agent_response && { message }), approvals }
}

/** The receipt of an unfinished turn. */
export async function viewReceipt({ storage: { db } }: ApiContext, turn: TurnsTable) {
  const { id: turn_id, conversation_id, status } = turn
  return { turn_id, conversation_id, status, position: 0, ...(await placeOf(db, turn)) }
}

/** The position of a waiting turn in its conversation. */
async function placeOf(db: Db, turn: TurnsTable) {
  return turn.activated_at === null ? findPosition(db, turn) : undefined
}

/** The view of a turn in lists: without its text. */
export function viewTurnBriefly(context: Pick<ApiContext, 'namespace' | 'temporalUiUrl'>, turn: TurnsTable) {
  return {
    turn_id: turn.id,
    status: turn.status,
    agent_id: turn.agent_id,
    user_id: turn.user_id,
    conversation_id: turn.conversation_id,
    ...(turn.parent_turn_id !== null && { parent_turn_id: turn.parent_turn_id }),
    ...(turn.error !== null && { error: parseColumn(turnError, turn.error, turn.id) }),
    ...(turn.superseded_by !== null && { superseded: true as const }),
    workflow: viewWorkflow(context, turn),
    created_at: turn.created_at,
    started_at: turn.started_at,
    finished_at: turn.finished_at,
  }
}

function viewWorkflow({ namespace, temporalUiUrl }: Pick<ApiContext, 'namespace' | 'temporalUiUrl'>, turn: TurnsTable) {
  const id = workflowId.chatTurn(turn.id)
  const path = `/namespaces/${namespace}/workflows/${encodeURIComponent(id)}${turn.run_id ? `/${turn.run_id}` : ''}`
  return { id, run_id: turn.run_id, url: temporalUiUrl === undefined ? null : `${temporalUiUrl}${path}` }
}

/** The reply of `POST /agents/{agent_id}/chat`. */
export async function viewReply({ storage: { db } }: ApiContext, turn: TurnsTable) {
  const messages = await db
    .selectFrom('messages')
    .select(['role', 'content', 'attachments'])
    .where('turn_id', '=', turn.id)
    .execute()
  const asked = messages.find(({ role }) => role === 'user')
  const replied = messages.find(({ role }) => role === 'assistant')
  const calls = await listToolCalls(db, turn.id)
  const attachments = parseAttachments(asked?.attachments ?? null, turn.id)
  return {
    id: turn.message_id,
    turn_id: turn.id,
    agent_id: turn.agent_id,
    user_id: turn.user_id,
    conversation_id: turn.conversation_id,
    status: turn.status,
    ...(turn.routing_confidence !== null && { routing_confidence: turn.routing_confidence }),
    user_message: {
      role: 'user' as const,
      content: asked?.content ?? '',
      ...(attachments.length > 0 && { attachments }),
    },
    ...(replied && {
      agent_response: {
        role: 'assistant' as const,
        content: replied.content,
        ...(calls.length > 0 && { tool_calls: calls.map(viewCall) }),
      },
    }),
    usage: parseColumn(turnUsage, turn.usage, turn.id) ?? { input_tokens: 0, output_tokens: 0 },
    created_at: turn.created_at,
  }
}

/** A tool call as it stands in a reply. */
export function viewCall(call: ToolCallsTable) {
  return {
    id: call.call_id,
    name: call.tool ?? call.name,
    server: call.server,
    parameters: shownArguments(call.arguments),
    output: toolOutput(call.output ?? ''),
    is_error: call.status !== 'done' && call.status !== 'returned',
    ...(call.child_turn_id !== null && { turn_id: call.child_turn_id }),
  }
}

/** Follows a turn until its final event or the signal aborts. @returns whether it has ended */
export async function waitForEnd({ storage }: ApiContext, turnId: string, signal: AbortSignal): Promise<boolean> {
  for await (const events of storage.events.follow(turnId, 0, signal)) {
    if (events.some((event: StoredEvent) => isFinal(event.type))) return true
  }
  return false
}

/** After these, what a turn waits for may be complete. */
const MAY_PARK = new Set<StoredEvent['type']>(['approval_required', 'tool_call_end'])

/** The same, or until it waits for nothing but people. */
export async function waitForReply({ storage }: ApiContext, turnId: string, signal: AbortSignal): Promise<boolean> {
  let hasAsked = false
  for await (const events of storage.events.follow(turnId, 0, signal)) {
    if (events.some((event) => isFinal(event.type))) return true
    hasAsked ||= events.some((event) => event.type === 'approval_required')
    if (hasAsked && events.some(({ type }) => MAY_PARK.has(type)) && (await isParked(storage.db, turnId))) return false
  }
  return false
}

/**
 * Cancels a turn; resolves when it has ended, or after a few seconds. A waiting turn ends in the database only.
 * @throws MuxiError conflict, unavailable
 */
export async function cancelTurn(context: ApiContext, { id, conversation_id }: TurnsTable): Promise<void> {
  const { storage } = context
  const ended = await storage.db.transaction().execute(async (tx) => {
    await lockConversation(tx, conversation_id)
    await requestStop(tx, 'turn', id)
    const turn = await findTurn(tx, id)
    if (turn?.activated_at !== null) return undefined
    return finishTurn(tx, { turn_id: id, conversation_id, status: 'cancelled' })
  })
  if (ended) return storage.events.publish(id, ended.events)
  await stopBelow(storage, id)
  storage.stops.stop(id)
  await stopTurn(context, id)
  await waitForEnd(context, id, AbortSignal.timeout(STOP_WAIT_MS))
}

/** Stops at once what the turn has asked other agents for; Temporal's cancellation of the turn reaches it too, later. */
export async function stopBelow({ db, stops }: ApiContext['storage'], turnId: string): Promise<void> {
  for (const id of await requestStopBelow(db, turnId)) stops.stop(id)
}

/** Throws the error of a failed turn for its waiting caller; otherwise does nothing. @throws MuxiError */
export function throwIfFailed(turn: TurnsTable): void {
  if (turn.status !== 'failed') return
  const error = parseColumn(turnError, turn.error, turn.id)
  const resets_at = error?.details?.['resets_at']
  throw new MuxiError(error?.code ?? 'internal_error', error?.message ?? 'The turn failed', {
    details: { ...error?.details, turn_id: turn.id },
    ...(typeof resets_at === 'string' && { retryAfter: secondsUntil(resets_at) }),
  })
}

/** The execution log of a turn. */
export async function viewLog({ storage: { db } }: ApiContext, turn: TurnsTable) {
  const entries = (await listLogOfTurn(db, turn.id)).map(viewEntry)
  const usage = parseColumn(turnUsage, turn.usage, turn.id)
  const end = turn.finished_at ?? new Date().toISOString()
  return {
    turn_id: turn.id,
    entries,
    totals: {
      duration_ms: Date.parse(end) - Date.parse(turn.started_at ?? turn.created_at),
      model_calls: entries.filter(({ kind }) => kind === 'model_call').length,
      tool_calls: entries.filter(({ kind }) => kind === 'tool_call').length,
      input_tokens: usage?.input_tokens ?? 0,
      output_tokens: usage?.output_tokens ?? 0,
      cost_usd: usage?.cost_usd ?? null,
    },
  }
}

/**
 * Each entry of the log as it is now, then each that changes or is new, until the turn has ended.
 * @returns batches of entries
 */
export async function* followLog(
  { storage: { db } }: ApiContext,
  turnId: string,
  signal: AbortSignal,
): AsyncGenerator<ReturnType<typeof viewEntry>[]> {
  const shown = new Map<string, string>()
  for (;;) {
    // Read before the log: what is written by the end of the turn is in the log that is read after it.
    const turn = await findTurn(db, turnId)
    const states = await listLogStates(db, turnId)
    const changed = states.filter(({ id, status }) => shown.get(id) !== status).map(({ id }) => id)
    for (const { id, status } of states) shown.set(id, status)
    for (let from = 0; from < changed.length; from += LOG_BATCH)
      yield (await readLogEntries(db, changed.slice(from, from + LOG_BATCH))).map(viewEntry)
    if (!turn || isFinalStatus(turn.status)) return
    await delay(LOG_POLL_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
  }
}

/** An entry of the execution log. */
export function viewEntry(entry: LogEntriesTable) {
  return {
    id: entry.id,
    kind: entry.kind,
    name: entry.name,
    status: entry.status,
    attempt: entry.attempt,
    started_at: entry.started_at,
    duration_ms: entry.duration_ms,
    input: parseColumn(logInput, entry.input, entry.id),
    output: parseColumn(logOutput, entry.output, entry.id),
    error: parseColumn(logError, entry.error, entry.id),
    usage: parseColumn(logUsage, entry.usage, entry.id),
    workflow_id: entry.workflow_id,
  }
}

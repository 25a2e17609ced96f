// A tool call of an MCP client as a turn: started, streamed as MCP messages from any event on, and stopped.
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type {
  CallToolResult,
  JSONRPCMessage,
  JSONRPCResultResponse,
  ProgressToken,
  RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { isFinal, type StoredEvent } from '../../contracts/events.ts'
import { MuxiError } from '../../contracts/failures.ts'
import type { AgentToolInput, AgentToolOutput } from '../../contracts/schemas/agent-tool.ts'
import { schemaFaults } from '../../contracts/schemas/faults.ts'
import { ShownText } from '../../contracts/text.ts'
import { turnError } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { findMade } from '../../db/queries/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { TurnsTable } from '../../db/schema.ts'
import { invalid } from '../errors.ts'
import { acceptMessage } from './chat.ts'
import type { ApiContext } from './context.ts'
import { resumeEvents } from './events.ts'
import type { McpSession } from './mcp-session.ts'
import { inputSchemaFor } from './mcp-tools.ts'
import { cancelTurn, getTurnOrThrow, viewReply } from './turns.ts'

const ROUTE = 'mcp'
/** Longest wait of a client, in milliseconds; the turn continues, and is read over HTTP. */
const WAIT_MS = 15 * 60_000
/** Minimum interval between two progress messages, in milliseconds. */
const PROGRESS_MS = 250
/** Characters at the end of a long text that a progress message contains. */
const MAX_PROGRESS = 2_000
/** Timeout and interval of the lookup for a call that was just sent, in milliseconds. */
const TAKEN_MS = 3_000
const LOOK_MS = 50

/** A call as received from the client. */
export interface McpCall {
  id: RequestId
  /** Set by clients that request progress. */
  progress_token?: ProgressToken | undefined
}

/** A message to the client, with the number of the turn's event. */
export interface Told {
  event: number
  message: JSONRPCMessage
}

/** Starts the turn of a call; idempotent for the same call of a session. @throws MuxiError */
export async function beginCall(
  context: ApiContext,
  principal: Principal,
  session: McpSession | undefined,
  { id }: McpCall,
  agent_id: string,
  given: unknown,
): Promise<TurnsTable> {
  const faults = schemaFaults(inputSchemaFor(principal), given)
  if (faults.length > 0) throw invalid('the arguments', faults)
  const { turn_id } = await acceptMessage(context, principal, {
    agent_id,
    request: given as AgentToolInput,
    route: ROUTE,
    idempotency_key: session && keyOf(session, id),
  })
  return getTurnOrThrow(context, principal, turn_id)
}

/** The turn of an earlier call, possibly sent a moment ago to another process. */
export async function findCall(
  context: ApiContext,
  principal: Principal,
  session: McpSession,
  id: RequestId,
): Promise<TurnsTable | undefined> {
  const made = { key_id: principal.key_id, route: ROUTE, idempotency_key: keyOf(session, id) }
  const deadline = Date.now() + TAKEN_MS
  for (;;) {
    const turnId = await findMade(context.storage.db, made)
    if (turnId !== undefined) return getTurnOrThrow(context, principal, turnId)
    if (Date.now() >= deadline || context.closing.aborted) return undefined
    await delay(LOOK_MS)
  }
}

function keyOf(session: McpSession, id: RequestId): string {
  return createHash('sha256')
    .update(JSON.stringify([session.id, id]))
    .digest('hex')
}

/** Stops the turn of a call; an unknown or ended call is ignored, as the protocol requires. */
export async function cancelCall(
  context: ApiContext,
  principal: Principal,
  session: McpSession,
  id: RequestId,
): Promise<void> {
  const turn = await findCall(context, principal, session, id)
  if (!turn) return
  try {
    await cancelTurn(context, turn)
  } catch (error) {
    if (!(error instanceof MuxiError && error.code === 'conflict')) throw error
  }
}

/**
 * Streams a call after an event: progress, and finally the result.
 * @param after number of the client's last event
 */
export async function* tellCall(
  context: ApiContext,
  principal: Principal,
  turn: TurnsTable,
  call: McpCall,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Told> {
  const patience = AbortSignal.timeout(WAIT_MS)
  // From the start, because progress contains the whole text so far.
  const events = await resumeEvents(context.storage, turn, 0, AbortSignal.any([signal, patience]))
  const progress = new Progress()
  let last = 0
  let reported = 0
  const isWanted = () => call.progress_token !== undefined && last > after
  for await (const batch of events ? withTimeouts(events, () => (isWanted() ? progress.dueInMs : undefined)) : []) {
    for (const event of batch ?? []) progress.apply(event)
    last = batch?.at(-1)?.id ?? last
    if (batch && isFinal(batch.at(-1)!.type)) break
    if (!isWanted()) continue
    for (let message = progress.take(); message !== undefined; message = progress.take()) {
      // It has to increase: a tool call and text may come in one batch.
      reported = last > reported ? last : reported + 0.5
      const params = { progressToken: call.progress_token!, progress: reported, message }
      yield { event: last, message: { jsonrpc: '2.0', method: 'notifications/progress', params } }
    }
  }
  if (signal.aborted || last <= after) return
  const result = await readResult(context, await getTurnOrThrow(context, principal, turn.id))
  yield { event: last, message: resultOf(call.id, result) }
}

/** The values of `source` as they come, and undefined after `timeoutMs()` without one. It is asked before each wait; undefined is no limit. */
async function* withTimeouts<T>(
  source: AsyncIterable<T>,
  timeoutMs: () => number | undefined,
): AsyncGenerator<T | undefined> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    for (;;) {
      const ms = timeoutMs()
      const over = new AbortController()
      const timeout = ms === undefined ? [] : [delay(ms, undefined, { signal: over.signal }).catch(() => undefined)]
      const first = await Promise.race([next, ...timeout])
      over.abort()
      if (first?.done) return
      yield first?.value
      if (first) next = iterator.next()
    }
  } finally {
    // Not awaited: it would wait for the next value.
    iterator.return?.().catch(() => undefined)
  }
}

/** Progress of a running turn: its text so far, and its tool calls. */
class Progress {
  readonly #shown = new ShownText()
  readonly #tools = new Map<string, string>()
  #tool: string | undefined
  #sent = ''
  #sentAt = 0

  apply(event: StoredEvent): void {
    this.#shown.apply(event)
    if (event.type === 'tool_call_start') {
      const { id, name, server } = event.data
      this.#tools.set(id, `${name} (${server})`)
      this.#tool = `calls ${this.#tools.get(id)}`
    } else if (event.type === 'tool_call_progress') {
      const { id, progress, total, message } = event.data
      const far = total === undefined ? `${progress}` : `${progress} of ${total}`
      this.#tool = `${this.#tools.get(id) ?? id}: ${far}${message === undefined ? '' : `, ${message}`}`
    } else if (event.type === 'tool_call_end') {
      const { id, is_error } = event.data
      this.#tool = `${this.#tools.get(id) ?? id} ${is_error ? 'failed' : 'has answered'}`
    }
  }

  /** Milliseconds until the next text progress is due; undefined when all text was sent. */
  get dueInMs(): number | undefined {
    if (this.#shown.text === this.#sent) return undefined
    return Math.max(0, this.#sentAt + PROGRESS_MS - Date.now())
  }

  /** The next due progress text, if any. */
  take(): string | undefined {
    const tool = this.#tool
    if (tool !== undefined) {
      this.#tool = undefined
      return endOf(tool)
    }
    if (this.dueInMs !== 0) return undefined
    const { text } = this.#shown
    this.#sent = text
    this.#sentAt = Date.now()
    return endOf(text)
  }
}

function endOf(text: string): string {
  return text.length > MAX_PROGRESS ? `… ${text.slice(-MAX_PROGRESS)}` : text
}

async function readResult(context: ApiContext, turn: TurnsTable): Promise<CallToolResult> {
  const { agent_response, usage } = await viewReply(context, turn)
  const error = parseColumn(turnError, turn.error, turn.id)
  const output: AgentToolOutput = {
    status: turn.status,
    reply: agent_response?.content ?? '',
    agent_id: turn.agent_id,
    turn_id: turn.id,
    conversation_id: turn.conversation_id,
    usage,
    ...(error && { error: { code: error.code, message: error.message } }),
  }
  return {
    content: [{ type: 'text', text: textOf(output) }],
    structuredContent: { ...output },
    ...((turn.status === 'failed' || turn.status === 'cancelled') && { isError: true }),
  }
}

function textOf({ status, reply, turn_id, error }: AgentToolOutput): string {
  const soFar = reply === '' ? '' : `\n\nUntil then it said:\n${reply}`
  switch (status) {
    case 'completed':
      return reply
    case 'failed':
      return `The agent failed: ${error?.message ?? 'for an unknown reason'}${soFar}`
    case 'cancelled':
      return `Turn ${turn_id} was stopped${soFar}`
    default:
      return `Turn ${turn_id} still goes on (${status}): read it later from GET /api/v1/turns/${turn_id}`
  }
}

/** A refused call as a result for the caller's model. */
export function refusalOf(error: MuxiError): CallToolResult {
  return { content: [{ type: 'text', text: `${error.message} (${error.code})` }], isError: true }
}

export function resultOf(id: RequestId, result: CallToolResult): JSONRPCResultResponse {
  return { jsonrpc: '2.0', id, result }
}

// The events of a turn as chunks of the UI message stream protocol v1 of the `ai` package.
import type { ApprovalRequired, NewEvent, StoredEvent } from '../../contracts/events.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'
import { ShownText } from '../../contracts/text.ts'

/** A chunk; `uiMessageChunkSchema` of the package is its definition, which the tests apply. */
export type UiChunk = { type: string; [field: string]: unknown }

/** A tool call that has not ended. */
interface OpenCall {
  /** What a person must decide before it continues, in the order in which it was asked. */
  waiting: ApprovalRequired[]
  denied: boolean
}

const FINISH: Record<FinishReason, string> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
  error: 'error',
}

/**
 * Translates the events of one turn, from its first. Each step of the turn is a step of the message, so that `reset-step` takes back
 * the text of a model call that is made again and nothing else.
 */
export class UiChunks {
  readonly #shown = new ShownText()
  readonly #calls = new Map<string, OpenCall>()
  #step: number | undefined
  /** The id of the text part that is open. */
  #text: string | undefined
  #texts = 0

  /** The approvals that the turn waits for, when it waits for nothing else: the client continues it by its next request. */
  get parkedFor(): string[] {
    const calls = [...this.#calls.values()]
    if (!calls.every(({ waiting }) => waiting.some(isDecidedByRequest))) return []
    return calls.flatMap(({ waiting }) => waiting.filter(isDecidedByRequest).map(({ id }) => id))
  }

  /** The chunks of the next event. */
  next(event: NewEvent): UiChunk[] {
    const chunks = this.#translate(event)
    this.#shown.apply(event)
    return chunks
  }

  /** The chunks that end the stream of a turn which waits. */
  park(): UiChunk[] {
    return [...this.#closeText(), { type: 'finish', finishReason: 'tool-calls' }]
  }

  #translate(event: NewEvent): UiChunk[] {
    switch (event.type) {
      case 'accepted': {
        const { message_id, turn_id, conversation_id } = event.data
        return [{ type: 'start', messageId: message_id, messageMetadata: { turn_id, conversation_id } }]
      }
      case 'message_start': {
        const { agent_id, routing_confidence, created_at } = event.data
        const routed = routing_confidence === undefined ? {} : { routing_confidence }
        return [{ type: 'message-metadata', messageMetadata: { agent_id, ...routed, created_at } }]
      }
      case 'content':
        return this.#content(event.data.step, event.data.content)
      case 'content_reset':
        return this.#reset(event.data)
      case 'tool_call_start':
      case 'tool_call_progress':
      case 'tool_call_end':
        return this.#toolCall(event)
      case 'approval_required':
        return this.#approvalRequired(event.data)
      case 'approval_decided':
        return this.#approvalDecided(event.data)
      case 'message_end': {
        const { usage, finish_reason, agent_id } = event.data
        const messageMetadata = { usage, ...(agent_id !== undefined && { agent_id }) }
        const finishReason = finish_reason && { finishReason: FINISH[finish_reason] }
        return [...this.#closeStep(), { type: 'finish', ...finishReason, messageMetadata }]
      }
      case 'cancelled':
        return [...this.#closeStep(), { type: 'abort', reason: 'The turn was cancelled' }]
      case 'error':
        return [...this.#closeStep(), { type: 'error', errorText: event.data.message }]
      default:
        return []
    }
  }

  #content(step: number, content: string): UiChunk[] {
    const opened = this.#enter(step)
    return content === ''
      ? opened
      : [...opened, ...this.#openText(), { type: 'text-delta', id: this.#text, delta: content }]
  }

  #reset({ step, content }: { step: number; content: string }): UiChunk[] {
    const before = this.#shown.before(step)
    const entered = [...this.#enter(step), ...this.#closeText()]
    const data = { type: 'data-muxi-reset', data: { step } }
    // What the earlier steps have said stays: the rest of the text is what this step says from now on.
    const again = content.startsWith(before) ? content.slice(before.length) : content
    const text = again === '' ? [] : [{ type: 'text-delta', id: `text-${this.#texts + 1}`, delta: again }]
    return [...entered, { type: 'reset-step' }, data, ...this.#openText(), ...text]
  }

  #toolCall(event: Extract<NewEvent, { type: `tool_call_${string}` }>): UiChunk[] {
    const toolCallId = event.data.id
    switch (event.type) {
      case 'tool_call_start': {
        const { name, server, parameters, turn_id } = event.data
        return this.#begin({ id: toolCallId, name, server, parameters, turn_id })
      }
      case 'tool_call_progress':
        return [{ type: 'data-muxi-progress', data: event.data, transient: true }]
      default: {
        const { output, is_error } = event.data
        const known = this.#calls.get(toolCallId)
        if (!known) return []
        this.#calls.delete(toolCallId)
        if (known.denied) return [{ type: 'tool-output-denied', toolCallId }]
        const of = { toolCallId, dynamic: true, providerExecuted: true }
        return [
          is_error
            ? {
                type: 'tool-output-error',
                ...of,
                errorText: typeof output === 'string' ? output : JSON.stringify(output),
              }
            : { type: 'tool-output-available', ...of, output },
        ]
      }
    }
  }

  #begin(call: {
    id: string
    name: string
    server: string
    parameters: unknown
    turn_id?: string | undefined
  }): UiChunk[] {
    const { id, name, server, parameters, turn_id } = call
    const opened = [...this.#enter(this.#step ?? 1), ...this.#closeText()]
    if (!this.#calls.has(id)) this.#calls.set(id, { waiting: [], denied: false })
    const chunk = {
      type: 'tool-input-available',
      toolCallId: id,
      toolName: name,
      input: parameters ?? {},
      // The server runs it: the client is asked for nothing.
      providerExecuted: true,
      dynamic: true,
      toolMetadata: { server, ...(turn_id !== undefined && { turn_id }) },
    }
    return [...opened, chunk]
  }

  #approvalRequired(required: ApprovalRequired): UiChunk[] {
    const { call_id, name, server, parameters } = required
    const begun = this.#calls.has(call_id) ? [] : this.#begin({ id: call_id, name, server, parameters })
    const { waiting } = this.#calls.get(call_id)!
    waiting.push(required)
    if (!isDecidedByRequest(required)) return [...begun, approvalData(required)]
    // One at a time is shown: the next one once this is decided.
    return waiting.filter(isDecidedByRequest).length === 1 ? [...begun, approvalRequest(required)] : begun
  }

  #approvalDecided({ id, decision }: { id: string; decision: string }): UiChunk[] {
    for (const [toolCallId, call] of this.#calls) {
      const index = call.waiting.findIndex((each) => each.id === id)
      const [decided] = index < 0 ? [] : call.waiting.splice(index, 1)
      if (!decided) continue
      if (!isDecidedByRequest(decided)) return [approvalData(decided, decision)]
      const next = call.waiting.filter(isDecidedByRequest).slice(0, 1).map(approvalRequest)
      const approved = decision === 'approve'
      call.denied ||= !approved
      // Not as a response: `sendAutomaticallyWhen` would send the request again forever.
      if (decision === 'cancelled') return [{ type: 'tool-output-denied', toolCallId }, ...next]
      return [{ type: 'tool-approval-response', approvalId: id, approved }, ...next]
    }
    return []
  }

  /** Begins a step of the message. */
  #enter(step: number): UiChunk[] {
    if (this.#step === step) return []
    const closed = this.#closeStep()
    this.#step = step
    return [...closed, { type: 'start-step' }]
  }

  #closeStep(): UiChunk[] {
    const closed = this.#closeText()
    return this.#step === undefined ? closed : [...closed, { type: 'finish-step' }]
  }

  #openText(): UiChunk[] {
    if (this.#text !== undefined) return []
    this.#texts += 1
    this.#text = `text-${this.#texts}`
    return [{ type: 'text-start', id: this.#text }]
  }

  #closeText(): UiChunk[] {
    if (this.#text === undefined) return []
    const id = this.#text
    this.#text = undefined
    return [{ type: 'text-end', id }]
  }
}

/** Whether the parts of the next request can decide it: an answer with fields is given by `POST /turns/{turn_id}/approvals/{id}`. */
function isDecidedByRequest({ kind, schema }: ApprovalRequired): boolean {
  return schema === undefined && kind !== 'sign_in'
}

function approvalRequest({ id, call_id, message, ...descriptor }: ApprovalRequired): UiChunk {
  return {
    type: 'tool-approval-request',
    approvalId: id,
    toolCallId: call_id,
    approvalDescriptor: descriptor,
    ...(message !== undefined && { reason: message }),
  }
}

function approvalData(required: ApprovalRequired, decision?: string): UiChunk {
  const data = { ...required, ...(decision !== undefined && { decision }) }
  return { type: 'data-muxi-approval', id: required.id, data }
}

/** The number of the event after which the stream has ended of a client that knows these approvals. */
export function seenBy(events: readonly StoredEvent[], known: ReadonlySet<string>): number {
  const chunks = new UiChunks()
  const told = new Set<string>()
  let seen = 0
  for (const event of events) {
    chunks.next(event)
    const parked = chunks.parkedFor
    // Without a new question the client reads on: what came beside a call that still waits is new to it.
    if (!parked.every((id) => known.has(id)) || parked.every((id) => told.has(id))) continue
    seen = event.id
    for (const id of parked) told.add(id)
  }
  return seen
}

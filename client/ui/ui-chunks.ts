// The events of a turn as chunks of the UI message stream protocol v1 of the `ai` package.
import type { ApprovalRequired, NewEvent } from '../../contracts/events.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'

interface OfCall {
  toolCallId: string
  dynamic?: boolean
  providerExecuted?: boolean
}

/** The chunks of the package that muxi sends: `uiMessageChunkSchema` defines them, and the tests apply it. */
export type UiChunk =
  | { type: 'start'; messageId: string; messageMetadata: object }
  | { type: 'message-metadata'; messageMetadata: object }
  | { type: 'start-step' | 'finish-step' | 'reset-step' }
  | { type: 'text-start' | 'text-end'; id: string }
  | { type: 'text-delta'; id: string; delta: string }
  | ({ type: 'tool-input-available'; toolName: string; input: unknown; toolMetadata: UiToolMetadata } & OfCall)
  | ({ type: 'tool-output-available'; output: unknown } & OfCall)
  | ({ type: 'tool-output-error'; errorText: string } & OfCall)
  | { type: 'tool-output-denied'; toolCallId: string }
  | {
      type: 'tool-approval-request'
      approvalId: string
      toolCallId: string
      approvalDescriptor: object
      reason?: string
    }
  | { type: 'tool-approval-response'; approvalId: string; approved: boolean }
  | { type: `data-muxi-${string}`; id?: string; data: unknown; transient?: boolean }
  | { type: 'finish'; finishReason?: UiFinishReason; messageMetadata?: object }
  | { type: 'abort'; reason: string }
  | { type: 'error'; errorText: string }

/** Where a tool runs, and the turn of an agent that was asked. */
export type UiToolMetadata = { server: string; turn_id?: string }
type UiFinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'error'

/** A tool call that has not ended. */
interface OpenCall {
  /** What a person must decide before it continues, in the order in which it was asked. */
  waiting: ApprovalRequired[]
  denied: boolean
}

const FINISH: Record<FinishReason, UiFinishReason> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
  refusal: 'content-filter',
  error: 'error',
}

/**
 * Translates the events of one turn, from its first. Each step of the turn is a step of the message, so that `reset-step` takes back
 * the text of a model call that is made again and nothing else.
 */
export class UiChunks {
  readonly #calls = new Map<string, OpenCall>()
  #step: number | undefined
  /** Everything that is shown, and what of it was there before the step. */
  #shown = ''
  #before = ''
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
    return this.#translate(event)
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
    this.#shown += content
    return content === '' ? opened : [...opened, ...this.#say(content)]
  }

  #reset({ step, content }: { step: number; content: string }): UiChunk[] {
    const entered = [...this.#enter(step), ...this.#closeText()]
    this.#shown = content
    const data = { type: 'data-muxi-reset', data: { step } } as const
    // What the earlier steps have said stays: the rest of the text is what this step says from now on.
    const again = content.startsWith(this.#before) ? content.slice(this.#before.length) : content
    return [...entered, { type: 'reset-step' }, data, ...(again === '' ? this.#openText() : this.#say(again))]
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
    const chunk: UiChunk = {
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
    this.#before = this.#shown
    return [...closed, { type: 'start-step' }]
  }

  #closeStep(): UiChunk[] {
    const closed = this.#closeText()
    return this.#step === undefined ? closed : [...closed, { type: 'finish-step' }]
  }

  #say(content: string): UiChunk[] {
    const opened = this.#openText()
    return [...opened, { type: 'text-delta', id: this.#text!, delta: content }]
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

// The reply of an agent as it grows: the events of a turn, applied one by one.
import type { ApprovalRequired, TurnEventData, Usage } from '../../contracts/events.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import type { TurnRecord } from '../types.ts'

/** A call of a tool, or of another agent. */
export interface ToolCall {
  id: string
  name: string
  server: string
  parameters: unknown
  /** Set once it has ended. */
  output?: unknown
  is_error?: boolean
  /** The latest that the tool said of its progress. */
  progress?: { progress: number; total?: number; message?: string }
  /** The turn of the agent that was asked. */
  turn_id?: string
}

/** What the turn waits for, or has waited for. */
export type PendingApproval = ApprovalRequired & {
  /** Set once it is decided. */
  decision?: TurnEventData['approval_decided']['decision']
}

export interface Message {
  /** Of the message; empty until the turn is accepted, as the other ids. */
  id: string
  turn_id: string
  conversation_id: string
  /** The agent that answers, or the one that the turn was handed over to. */
  agent_id: string
  /** How sure the orchestrator is of the agent it has chosen. */
  routing_confidence?: number
  status: TurnRecord['status']
  /** Everything said so far: equal to `agent_response.content` at the end. */
  text: string
  tool_calls: readonly ToolCall[]
  approvals: readonly PendingApproval[]
  usage?: Usage
  finish_reason?: NonNullable<TurnEventData['message_end']['finish_reason']>
  error?: ErrorBody
}

/** Any event of a turn. */
export type AnyTurnEvent = { [T in keyof TurnEventData]: { type: T; data: TurnEventData[T] } }[keyof TurnEventData]

/** The message of a turn that nothing is known of. */
export function emptyMessage(turnId = ''): Message {
  const ids = { id: '', turn_id: turnId, conversation_id: '', agent_id: '' }
  return { ...ids, status: 'pending', text: '', tool_calls: [], approvals: [] }
}

/** The message after an event. It changes no message: an earlier one stays as it is. */
export function applyEvent(message: Message, { type, data }: AnyTurnEvent): Message {
  switch (type) {
    case 'accepted':
      return { ...message, id: data.message_id, turn_id: data.turn_id, conversation_id: data.conversation_id }
    case 'message_start': {
      const { created_at: _, ...start } = data
      return { ...message, ...start, status: 'running' }
    }
    case 'content':
      return { ...message, text: message.text + data.content }
    case 'content_reset':
      return { ...message, text: data.content }
    case 'tool_call_start':
      return { ...message, tool_calls: put(message.tool_calls, data) }
    case 'tool_call_progress': {
      const { id, ...progress } = data
      return { ...message, tool_calls: change(message.tool_calls, id, { progress }) }
    }
    case 'tool_call_end': {
      const { id, agent_id = message.agent_id, ...end } = data
      return { ...message, agent_id, tool_calls: change(message.tool_calls, id, end) }
    }
    case 'approval_required':
      return withApprovals(message, put(message.approvals, data))
    case 'approval_decided':
      return withApprovals(message, change(message.approvals, data.id, { decision: data.decision }))
    case 'message_end': {
      const { id: _, ...end } = data
      return { ...message, ...end, status: 'completed' }
    }
    case 'cancelled':
      return { ...message, status: 'cancelled' }
    case 'error':
      return { ...message, status: 'failed', error: data as ErrorBody }
    default:
      // Of a later version of the server.
      return message
  }
}

function withApprovals(message: Message, approvals: Message['approvals']): Message {
  const waits = approvals.some(({ decision }) => decision === undefined)
  return { ...message, approvals, status: waits ? 'awaiting_approval' : 'running' }
}

/** In place of the item with its id, or at the end. */
function put<T extends { id: string }>(items: readonly T[], item: T): T[] {
  return [...items.filter(({ id }) => id !== item.id), item]
}

function change<T extends { id: string }>(items: readonly T[], id: string, fields: Partial<T>): T[] {
  return items.map((item) => (item.id === id ? { ...item, ...fields } : item))
}

// What is sent over a socket besides frames, and the changes that it brings.
import type { Static } from '@sinclair/typebox'
import type { ChangeOp, Topic } from '../../contracts/feed.ts'
import type { ConversationSchema } from '../../contracts/schemas/conversations.ts'
import type { JobSchema } from '../../contracts/schemas/job-views.ts'
import type { TurnBriefSchema } from '../../contracts/schemas/turns.ts'
import type { MessageOptions } from '../turns/chat-request.ts'
import type { TurnOptions } from '../turns/turn.ts'
import type { AgentBrief, Approval } from '../types.ts'

export type { Topic }

interface Items {
  agents: AgentBrief
  approvals: Approval
  conversations: Static<typeof ConversationSchema>
  jobs: Static<typeof JobSchema>
  turns: Static<typeof TurnBriefSchema>
}

/** A change; `subscribed` comes first and after each reconnection: changes may have been missed, so the lists are to be read again. */
export type SocketChange =
  | { type: 'subscribed'; data: { topics: Topic[] } }
  | {
      type: 'changed'
      data: { [T in Topic]: { topic: T; id: string; op: ChangeOp; item: Items[T] | null } }[Topic]
    }

export interface SocketMessageOptions extends MessageOptions, Pick<TurnOptions, 'signal' | 'idempotencyKey'> {}

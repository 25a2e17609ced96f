// What requests take and what answers hold, from the schemas of the server.
import type { Static, TSchema } from '@sinclair/typebox'
import type * as agentViews from '../contracts/schemas/agent-views.ts'
import type * as agents from '../contracts/schemas/agent.ts'
import type * as chat from '../contracts/schemas/chat.ts'
import type * as turns from '../contracts/schemas/turns.ts'

export type { TurnEventData } from '../contracts/events.ts'

/** A page of a list: the array, and where the next page is. */
export type PageOf<Name extends string, Item> = { [key in Name]: Item[] } & {
  has_more: boolean
  next_cursor: string | null
}

export interface PageQuery {
  /** 1 to 100; default 20. */
  limit?: number
  /** `next_cursor` of the page before. */
  cursor?: string
}

type Of<S extends TSchema> = Static<S>

export type AgentBrief = Of<typeof agentViews.AgentBriefSchema>
export type Agent = Of<typeof agentViews.AgentViewSchema>
export type AgentConfig = Of<typeof agents.AgentSchema>
export type Attachment = Of<typeof chat.AttachmentSchema>
export type ChatRequest = chat.ChatRequest
export type Reply = Of<typeof turns.ReplySchema>
export type Receipt = Of<typeof turns.ReceiptSchema>
export type TurnRecord = Of<typeof turns.TurnSchema>
export type Approval = Of<typeof turns.ApprovalSchema>

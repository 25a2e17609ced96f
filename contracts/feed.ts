// The live feed of changes: its topics, and which scope reads each, as that of the topic's list route.
import type { Scope } from './scopes.ts'

export const TOPIC_SCOPES = {
  approvals: 'chat',
  jobs: 'chat',
  conversations: 'chat',
  turns: 'chat',
  agents: 'read',
} as const satisfies Record<string, Scope>

export type Topic = keyof typeof TOPIC_SCOPES
export type ChangeOp = 'created' | 'updated' | 'deleted'

export const TOPICS = Object.keys(TOPIC_SCOPES) as Topic[]

// Search attributes of our workflows, so that the Temporal UI can find everything of an agent, a conversation or a user.
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common'
import type { Labels } from '../contracts/engine.ts'

const KIND = defineSearchAttributeKey('MuxiKind', 'KEYWORD')
const AGENT = defineSearchAttributeKey('MuxiAgent', 'KEYWORD')
const CONVERSATION = defineSearchAttributeKey('MuxiConversation', 'KEYWORD')
const USER = defineSearchAttributeKey('MuxiUser', 'KEYWORD')

/** Search attributes are stored in the clear: the user stands there as a pseudonym. What is empty is left out. */
export function searchAttributesOf(kind: 'conversation' | 'turn' | 'tool' | 'job', labels: Labels): TypedSearchAttributes {
  const pairs = [
    { key: KIND, value: kind as string },
    { key: AGENT, value: labels.agent_id },
    { key: CONVERSATION, value: labels.conversation_id },
    { key: USER, value: labels.user_hash },
  ]
  return new TypedSearchAttributes(pairs.filter(({ value }) => value !== ''))
}

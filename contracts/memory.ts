// Memory: the input of its workflow, what a turn recalls of it, and the partition that keeps users apart.
import type { Labels } from './temporal.ts'

/** Input of the workflow that writes what was said in a conversation. */
export type MemoryRef = Labels

/** A message of earlier, as a model is shown it. */
export interface RecalledMemory {
  message_id: string
  role: 'user' | 'assistant'
  content: string
  said_at: string
  similarity: number
  /** `conversation`: an older message of the same conversation; `long_term`: of any conversation of the user with the agent. */
  from: 'conversation' | 'long_term'
  /** Of a message of another conversation. */
  conversation_id?: string
}

/** Less similar messages are not about the same: they count where words lead to them only. */
export const LEAST_SIMILARITY = 0.2

/** The id of a message's memory: the same in every attempt, so that it is written once. */
export function memoryIdOf(messageId: string): string {
  return messageId.replace(/^msg_/, 'mem_')
}

/** The scope of a user's memories in the vector index. Ids of conversations contain no slash, so no other scope equals it. */
export function memoryScope(userId: string): string {
  return `user/${userId}`
}

/** A longer question is searched by its beginning, in characters. */
const QUERY_CHARACTERS = 4_000
/** A longer message of the buffer is compared by its beginning, in characters. */
const COMPARED_CHARACTERS = 2_000

/** The texts that are embedded of a message besides its passages: as a question, and in the buffer. */
export function embeddedTexts(content: string): { question: string; compared: string } {
  return {
    question: content.slice(0, QUERY_CHARACTERS).toWellFormed(),
    compared: content.slice(0, COMPARED_CHARACTERS).toWellFormed(),
  }
}

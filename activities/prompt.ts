// What a model is shown in a step: instructions, the latest messages of the conversation, and what happened in this turn so far.
import type { AgentConfig } from '../contracts/schemas/agent.ts'
import type { BlobStore } from '../db/blobs.ts'
import { listMessages, parseAttachments } from '../db/queries/conversations.ts'
import { listSteps } from '../db/queries/steps.ts'
import type { Db, TurnsTable } from '../db/schema.ts'
import type { PromptMessage } from '../providers/provider.ts'

export interface Prompt {
  messages: PromptMessage[]
  /** The text that earlier steps of this turn have shown. */
  shown: string
}

type Turn = Pick<TurnsTable, 'id' | 'conversation_id' | 'user_id' | 'user_message_id'>

export async function buildPrompt(db: Db, blobs: BlobStore, turn: Turn, config: AgentConfig): Promise<Prompt> {
  const asked = await db
    .selectFrom('messages')
    .select(['content', 'attachments'])
    .where('id', '=', turn.user_message_id)
    .executeTakeFirstOrThrow()
  const earlier = await listMessages(db, turn.conversation_id, config.memory.buffer, turn.user_message_id)
  const messages: PromptMessage[] = [{ role: 'system', content: config.system_message }]
  for (const { role, content } of earlier.toReversed()) {
    messages.push(role === 'user' ? { role, content, images: [] } : { role, content, calls: [] })
  }
  const images = await Promise.all(
    parseAttachments(asked.attachments).map(async ({ media_type, sha256 }) => ({
      media_type,
      base64: (await blobs.get(turn.user_id, sha256)).toString('base64'),
    })),
  )
  messages.push({ role: 'user', content: asked.content, images })

  const steps = await listSteps(db, turn.id)
  for (const step of steps) {
    messages.push({
      role: 'assistant',
      content: step.content,
      calls: step.calls.map((call) => ({ id: call.provider_call_id, name: call.name, arguments: call.arguments })),
    })
    for (const call of step.calls) messages.push({ role: 'tool', call_id: call.provider_call_id, content: call.output ?? '' })
  }
  const shown = steps.map(({ content }) => content).filter((content) => content !== '')
  return { messages, shown: shown.join(STEP_SEPARATOR) }
}

/** Stands between the texts of two steps of one reply. */
export const STEP_SEPARATOR = '\n\n'

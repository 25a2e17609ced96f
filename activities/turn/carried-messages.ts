// The messages that a turn brought itself, as a model is shown them.
import { textPart, type ModelMessage, type UserPart } from '../../contracts/model-messages.ts'
import type { CarriedMessage } from '../../contracts/schemas/carried-request.ts'
import type { JobsTable } from '../../db/schema.ts'
import type { ShownPictures } from './shown-pictures.ts'

/** Strict servers want a user's message first, and one to answer last. */
const BEGINNING = '(The conversation begins with what you said.)'
const GO_ON = '(Go on.)'

/**
 * The messages with the roles in turn, as strict servers demand.
 * @param pictures the latest pictures first: of those before them, as many are shown as the model's limits leave room for
 * @param jobs those of the turn's attachments, in their order
 */
export async function toModelMessages(
  pictures: ShownPictures,
  carried: readonly CarriedMessage[],
  jobs: readonly JobsTable[],
  describeAttached: (job: JobsTable) => string,
): Promise<ModelMessage[]> {
  const names = new Map(
    carried.flatMap((message) =>
      message.role === 'assistant' ? message.calls.map(({ id, name }) => [id, name] as const) : [],
    ),
  )
  const converted: ModelMessage[] = []
  for (const message of carried.toReversed()) converted.unshift(await convert(message))
  const messages: ModelMessage[] = []
  if (converted[0]?.role === 'assistant') messages.push({ role: 'user', parts: [textPart(BEGINNING)] })
  for (const message of converted) {
    const last = messages.at(-1)
    if (last?.role === message.role) (last.parts as unknown[]).push(...message.parts)
    else messages.push(message)
  }
  if (messages.length === 0 || messages.at(-1)?.role === 'assistant')
    messages.push({ role: 'user', parts: [textPart(GO_ON)] })
  return messages

  async function convert(message: CarriedMessage): Promise<ModelMessage> {
    switch (message.role) {
      case 'user':
        return { role: 'user', parts: await tellParts(message.parts) }
      case 'assistant':
        return {
          role: 'assistant',
          parts: [
            ...(message.content === '' && message.calls.length > 0 ? [] : [textPart(message.content)]),
            ...message.calls.map((call) => ({ type: 'tool_call' as const, ...call })),
          ],
        }
      case 'tool': {
        const { call_id, content } = message
        const result = { call_id, name: names.get(call_id) ?? '', content: [textPart(content)], is_error: false }
        return { role: 'tool', parts: [{ type: 'tool_result', ...result }] }
      }
    }
  }

  async function tellParts(parts: Extract<CarriedMessage, { role: 'user' }>['parts']): Promise<UserPart[]> {
    const shown: UserPart[] = []
    for (const part of parts.toReversed()) {
      if (part.type === 'text') {
        shown.unshift(part)
        continue
      }
      const job = jobs[part.index]
      if (!job) continue
      const taken = await pictures.takeJob(job)
      // A picture that is seen needs no words.
      if (taken.parts.length > 0 && !taken.note) shown.unshift(...taken.parts)
      else shown.unshift(textPart([describeAttached(job), taken.note].filter(Boolean).join(' ')), ...taken.parts)
    }
    return shown
  }
}

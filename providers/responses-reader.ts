// Reads the events of OpenAI's responses into the parts of a reply.
import { isObject } from '../contracts/json.ts'
import { withoutNul } from '../contracts/nul.ts'
import { isTokenCount, type AssistantPart, type FinishReason, type TokenUsage } from '../contracts/model-messages.ts'
import { ProviderFailure, ReportedError } from './failure.ts'
import type { Delta, GenerateResult } from './provider.ts'
import { ReplyParts } from './reply-parts.ts'

/** The metadata of a reasoning part: the item that must come back before what it led to. */
export interface ItemMetadata {
  item?: string
  encrypted?: string
}

interface Item {
  type?: unknown
  id?: unknown
  call_id?: unknown
  name?: unknown
  arguments?: unknown
  encrypted_content?: unknown
  content?: unknown
  summary?: unknown
}

interface Response {
  status?: unknown
  error?: unknown
  output?: unknown
  usage?: unknown
  incomplete_details?: { reason?: unknown } | null
}

type Draft = { part: Exclude<AssistantPart, { type: 'text' }> | undefined; streamed: boolean }

/**
 * @throws ProviderFailure when the stream ends before the response does
 * @throws ReportedError when the server reports an error in an event
 */
export async function readResponse(
  events: AsyncIterable<unknown>,
  onDelta: (delta: Delta) => Promise<void>,
  provider: string,
): Promise<GenerateResult> {
  const reply = new ReplyParts(onDelta)
  const warnings: string[] = []
  const drafts = new Map<unknown, Draft>()
  let ended: Response | undefined

  async function open(index: unknown, item: Item): Promise<Draft> {
    const known = drafts.get(index)
    if (known) return known
    const draft: Draft = { part: undefined, streamed: false }
    drafts.set(index, draft)
    if (item.type === 'message') await reply.begin('text')
    else if (item.type === 'reasoning') draft.part = (await reply.begin('reasoning')) as Draft['part']
    else if (item.type === 'function_call') {
      await reply.finish()
      draft.part = { type: 'tool_call', id: '', name: '', arguments: '' }
      await reply.addCall(draft.part)
    } else warnings.push(`An item of type '${String(item.type).slice(0, 64)}' was left out`)
    return draft
  }

  /** What an item says as a whole counts for what was not streamed of it. */
  async function close(index: unknown, item: Item): Promise<void> {
    const draft = await open(index, item)
    const { part } = draft
    if (!draft.streamed) {
      if (item.type === 'message') {
        await reply.add('text', textsOf(item.content))
        await reply.add('refusal', textsOf(item.content, 'refusal'))
      }
      if (part?.type === 'reasoning') await reply.add('reasoning', textsOf(item.summary) || textsOf(item.content))
    }
    await reply.finish()
    if (part?.type === 'reasoning' && typeof item.id === 'string' && typeof item.encrypted_content === 'string')
      part.metadata = { item: item.id, encrypted: item.encrypted_content }
    if (part?.type !== 'tool_call') return
    if (typeof item.call_id === 'string') part.id = item.call_id
    if (typeof item.name === 'string') part.name = item.name
    if (typeof item.arguments === 'string') part.arguments = item.arguments
  }

  async function add(type: 'text' | 'refusal' | 'reasoning', index: unknown, delta: unknown): Promise<void> {
    const draft = await open(index, { type: type === 'reasoning' ? type : 'message' })
    draft.streamed = true
    await reply.add(type, delta)
  }

  for await (const event of events) {
    if (!isObject(event)) continue
    const { type, output_index: index, item, delta } = event
    switch (type) {
      case 'response.output_item.added':
        if (isObject(item)) await begin(index, item)
        break
      case 'response.output_item.done':
        if (isObject(item)) await close(index, item)
        break
      case 'response.output_text.delta':
        await add('text', index, delta)
        break
      case 'response.refusal.delta':
        await add('refusal', index, delta)
        break
      case 'response.reasoning_summary_part.added':
        if (typeof event['summary_index'] === 'number' && event['summary_index'] > 0)
          await add('reasoning', index, '\n\n')
        break
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        await add('reasoning', index, delta)
        break
      case 'response.function_call_arguments.delta': {
        const { part } = await open(index, { type: 'function_call' })
        if (part?.type === 'tool_call' && typeof delta === 'string') part.arguments += delta
        break
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        if (isObject(event['response'])) ended = event['response']
        break
      case 'error':
        throw new ReportedError(event)
      default:
        if (event['object'] === 'response') ended = event
    }
  }
  if (ended && drafts.size === 0 && Array.isArray(ended.output))
    for (const [index, item] of (ended.output as Item[]).entries()) await close(index, item)
  await reply.finish()
  if (!ended)
    throw new ProviderFailure('retry', 'The model ended its answer without saying that it was finished', { provider })
  if (ended.status === 'failed') throw new ReportedError(ended.error ?? 'The response failed')
  const parts = reply.parts.filter((part) => part.type !== 'text' || part.text !== '')
  for (const part of parts)
    if (part.type === 'tool_call') {
      part.arguments = withoutNul(part.arguments.toWellFormed())
      part.name = withoutNul(part.name.toWellFormed())
    }
  const finish_reason = reply.endedBy(readEnd(ended, parts))
  return { parts, finish_reason, usage: readUsage(ended.usage), warnings }

  async function begin(index: unknown, item: Item): Promise<void> {
    const { part } = await open(index, item)
    if (part?.type !== 'tool_call') return
    if (typeof item.call_id === 'string') part.id = item.call_id
    if (typeof item.name === 'string') part.name = item.name
  }
}

function readEnd({ status, incomplete_details }: Response, parts: readonly AssistantPart[]): FinishReason {
  if (status === 'incomplete') return incomplete_details?.reason === 'content_filter' ? 'content_filter' : 'length'
  return parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : 'stop'
}

function textsOf(content: unknown, field: 'text' | 'refusal' = 'text'): string {
  if (!Array.isArray(content)) return ''
  return content.map((each) => (isObject(each) && typeof each[field] === 'string' ? each[field] : '')).join('')
}

/** The counts that are there and can be stored; what is missing is estimated. */
function readUsage(reported: unknown): Partial<TokenUsage> {
  if (!isObject(reported)) return {}
  const { input_tokens, output_tokens, input_tokens_details, output_tokens_details } = reported
  const cached_tokens = isObject(input_tokens_details) ? input_tokens_details['cached_tokens'] : undefined
  const reasoning_tokens = isObject(output_tokens_details) ? output_tokens_details['reasoning_tokens'] : undefined
  return {
    ...(isTokenCount(input_tokens) && { input_tokens }),
    ...(isTokenCount(output_tokens) && { output_tokens }),
    ...(isTokenCount(cached_tokens) && { cached_tokens }),
    ...(isTokenCount(reasoning_tokens) && { reasoning_tokens }),
  }
}

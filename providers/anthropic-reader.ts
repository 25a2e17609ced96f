// Reads the events of Anthropic's messages into the parts of a reply.
import { isObject } from '../contracts/json.ts'
import { withoutNul } from '../contracts/nul.ts'
import {
  isTokenCount,
  type AssistantPart,
  type FinishReason,
  type TokenUsage,
  type ToolCallPart,
} from '../contracts/model-messages.ts'
import { ProviderFailure } from './failure.ts'
import type { Delta, GenerateResult } from './provider.ts'
import { ReplyParts } from './reply-parts.ts'

/** The metadata of a reasoning part: what must come back with it, unchanged. */
export interface ReasoningMetadata {
  signature?: string
  /** Reasoning that Anthropic has encrypted. */
  redacted?: string
}

/** What is read of an event: any field may be missing, null or of another type. */
interface Event {
  type?: unknown
  index?: unknown
  message?: Message | null
  content_block?: Block | null
  delta?: {
    text?: unknown
    thinking?: unknown
    signature?: unknown
    partial_json?: unknown
    stop_reason?: unknown
  } | null
  usage?: unknown
}

interface Message {
  type?: unknown
  content?: unknown
  stop_reason?: unknown
  usage?: unknown
}

interface Block {
  type?: unknown
  id?: unknown
  name?: unknown
  input?: unknown
  text?: unknown
  thinking?: unknown
  signature?: unknown
  data?: unknown
}

const FINISH_REASONS: Record<string, FinishReason> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}

type ReasoningPart = Extract<AssistantPart, { type: 'reasoning' }>
type OpenBlock = { part: ReasoningPart | ToolCallPart | undefined; args: string }

/** @throws ProviderFailure when the stream ends before the message does */
export async function readMessage(
  events: AsyncIterable<unknown>,
  onDelta: (delta: Delta) => Promise<void>,
  provider: string,
): Promise<GenerateResult> {
  const reply = new ReplyParts(onDelta)
  const warnings: string[] = []
  const usage: Partial<TokenUsage> = {}
  const blocks = new Map<unknown, OpenBlock>()
  const counts: Record<string, number> = {}
  let stop: unknown
  let isOver = false

  async function open(index: unknown, block: Block): Promise<void> {
    await reply.finish()
    const draft: OpenBlock = { part: undefined, args: '' }
    blocks.set(index, draft)
    switch (block.type) {
      case 'text':
        await reply.begin('text')
        return reply.add('text', block.text)
      case 'thinking':
        draft.part = (await reply.begin('reasoning')) as ReasoningPart
        sign(draft.part, block.signature)
        return reply.add('reasoning', block.thinking)
      case 'redacted_thinking':
        if (typeof block.data === 'string') await reply.begin('reasoning', { redacted: block.data })
        return
      case 'tool_use': {
        const id = typeof block.id === 'string' ? block.id : ''
        const name = typeof block.name === 'string' ? withoutNul(block.name.toWellFormed()) : ''
        draft.part = { type: 'tool_call', id, name, arguments: '' }
        // Its arguments follow in pieces; when the answer is not streamed they stand here.
        draft.args = isObject(block.input) && Object.keys(block.input).length > 0 ? JSON.stringify(block.input) : ''
        return reply.addCall(draft.part)
      }
      default:
        warnings.push(`A block of type '${String(block.type).slice(0, 64)}' was left out`)
    }
  }

  async function add(index: unknown, delta: NonNullable<Event['delta']>): Promise<void> {
    const { part } = blocks.get(index) ?? {}
    await reply.add('text', delta.text)
    await reply.add('reasoning', delta.thinking)
    if (part?.type === 'reasoning') sign(part, delta.signature)
    if (part?.type === 'tool_call' && typeof delta.partial_json === 'string')
      blocks.get(index)!.args += delta.partial_json
  }

  for await (const chunk of events) {
    if (!isObject(chunk)) continue
    const event = chunk as Event
    switch (event.type) {
      case 'message_start':
        Object.assign(counts, countsOf(event.message?.usage))
        break
      case 'content_block_start':
        if (isObject(event.content_block)) await open(event.index, event.content_block)
        break
      case 'content_block_delta':
        if (isObject(event.delta)) await add(event.index, event.delta)
        break
      case 'message_delta':
        if (typeof event.delta?.stop_reason === 'string') stop = event.delta.stop_reason
        Object.assign(counts, countsOf(event.usage))
        break
      case 'message_stop':
        isOver = true
        break
      case 'message': {
        // Not streamed.
        const message = chunk as Message
        for (const [index, block] of ((message.content ?? []) as Block[]).entries()) await open(index, block)
        Object.assign(counts, countsOf(message.usage))
        stop = message.stop_reason
        isOver = true
      }
    }
  }
  await reply.finish()
  if (!isOver && stop === undefined)
    throw new ProviderFailure('retry', 'The model ended its answer without saying that it was finished', { provider })
  for (const { part, args } of blocks.values())
    if (part?.type === 'tool_call') part.arguments = withoutNul(args.toWellFormed())
  Object.assign(usage, toUsage(counts))
  const parts = reply.parts.filter((part) => part.type !== 'text' || part.text !== '')
  return { parts, finish_reason: readStop(stop, parts, warnings), usage, warnings }
}

function sign(part: ReasoningPart, signature: unknown): void {
  if (typeof signature === 'string' && signature !== '')
    part.metadata = { signature: ((part.metadata as ReasoningMetadata | undefined)?.signature ?? '') + signature }
}

function readStop(stop: unknown, parts: readonly AssistantPart[], warnings: string[]): FinishReason {
  const known = typeof stop === 'string' ? FINISH_REASONS[stop] : undefined
  if (!known) warnings.push(`Unknown stop reason '${String(stop).slice(0, 64)}', read as 'end_turn'`)
  if (known === 'length' || known === 'content_filter') return known
  return parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : 'stop'
}

/** The counts that are there; later ones, of the whole message, replace earlier ones. */
function countsOf(usage: unknown): Record<string, number> {
  if (!isObject(usage)) return {}
  const details = isObject(usage['output_tokens_details']) ? usage['output_tokens_details'] : {}
  return Object.fromEntries(
    Object.entries({ ...usage, thinking_tokens: details['thinking_tokens'] }).filter(
      (entry): entry is [string, number] => isTokenCount(entry[1]),
    ),
  )
}

/** Anthropic counts what it reads from its cache and what it writes to it beside the other input. */
function toUsage(counts: Record<string, number>): Partial<TokenUsage> {
  const { input_tokens, output_tokens, thinking_tokens } = counts
  const { cache_read_input_tokens: read = 0, cache_creation_input_tokens: written = 0 } = counts
  return {
    ...(input_tokens !== undefined && { input_tokens: input_tokens + read + written }),
    ...(output_tokens !== undefined && { output_tokens }),
    ...(read > 0 && { cached_tokens: read }),
    ...(written > 0 && { cache_write_tokens: written }),
    ...(thinking_tokens !== undefined && { reasoning_tokens: thinking_tokens }),
  }
}

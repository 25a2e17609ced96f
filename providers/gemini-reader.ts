// Reads the chunks of Gemini's streamGenerateContent into the parts of a reply.
import { randomBytes } from 'node:crypto'
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

/** The metadata of a text or a call: what must come back with it, unchanged. */
export interface GeminiMetadata {
  signature?: string
  /** Whether the call's id is Gemini's own. */
  has_id?: true
}

/** What is read of a part: any field may be missing, null or of another type. */
interface StreamedPart {
  text?: unknown
  thought?: unknown
  thoughtSignature?: unknown
  functionCall?: { id?: unknown; name?: unknown; args?: unknown } | null
}

const FINISH_REASONS: Record<string, FinishReason> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  ESCALATION: 'content_filter',
  OTHER: 'error',
  MALFORMED_FUNCTION_CALL: 'error',
  UNEXPECTED_TOOL_CALL: 'error',
  TOO_MANY_TOOL_CALLS: 'error',
  MISSING_THOUGHT_SIGNATURE: 'error',
  MALFORMED_RESPONSE: 'error',
}

/** @throws ProviderFailure when the stream ends without a finish reason */
export async function readContent(
  chunks: AsyncIterable<unknown>,
  onDelta: (delta: Delta) => Promise<void>,
  provider: string,
): Promise<GenerateResult> {
  const reply = new ReplyParts(onDelta)
  const warnings: string[] = []
  const usage: Partial<TokenUsage> = {}
  let finish: string | undefined
  let isBlocked = false

  async function add({ text, thought, thoughtSignature, functionCall }: StreamedPart): Promise<void> {
    const signature = typeof thoughtSignature === 'string' && thoughtSignature !== '' ? thoughtSignature : undefined
    if (isObject(functionCall)) {
      await reply.finish()
      return reply.addCall(toCall(functionCall, signature))
    }
    if (typeof text !== 'string') return
    if (thought === true) return reply.add('reasoning', text)
    await reply.add('text', text)
    if (signature === undefined) return
    // The signature is one of this very part: what follows is another.
    await reply.finish()
    const last = reply.parts.at(-1)
    const part = last?.type === 'text' ? last : await reply.begin('text')
    part.metadata = { signature }
    await reply.begin('text')
  }

  for await (const chunk of chunks) {
    if (!isObject(chunk)) continue
    Object.assign(usage, readUsage(chunk['usageMetadata']))
    const feedback = chunk['promptFeedback']
    if (isObject(feedback) && typeof feedback['blockReason'] === 'string') isBlocked = true
    const candidate: unknown = Array.isArray(chunk['candidates']) ? chunk['candidates'][0] : undefined
    if (!isObject(candidate)) continue
    const parts = isObject(candidate['content']) ? candidate['content']['parts'] : undefined
    for (const part of Array.isArray(parts) ? (parts as unknown[]) : []) if (isObject(part)) await add(part)
    if (typeof candidate['finishReason'] === 'string' && candidate['finishReason'] !== '')
      finish = candidate['finishReason']
  }
  await reply.finish()
  const parts = reply.parts.filter((part) => part.type !== 'text' || part.text !== '' || part.metadata !== undefined)
  if (isBlocked) return { parts, finish_reason: 'content_filter', usage, warnings }
  if (finish === undefined)
    throw new ProviderFailure('retry', 'The model ended its answer without saying that it was finished', { provider })
  const finish_reason = readFinish(finish, parts, warnings)
  if (finish_reason === 'error') warnings.push(`Ended by '${finish.slice(0, 64)}'`)
  return { parts, finish_reason, usage, warnings }
}

function toCall(
  { id, name, args }: NonNullable<StreamedPart['functionCall']>,
  signature: string | undefined,
): ToolCallPart {
  const hasId = typeof id === 'string' && id !== ''
  const metadata: GeminiMetadata = {
    ...(signature !== undefined && { signature }),
    ...(hasId && { has_id: true as const }),
  }
  return {
    type: 'tool_call',
    id: hasId ? id : randomBytes(5).toString('hex').slice(0, 9),
    name: typeof name === 'string' ? withoutNul(name.toWellFormed()) : '',
    arguments: withoutNul(JSON.stringify(args ?? {}).toWellFormed()),
    ...(Object.keys(metadata).length > 0 && { metadata: { ...metadata } }),
  }
}

/** Gemini says `STOP` of replies with calls too. */
function readFinish(finish: string, parts: readonly AssistantPart[], warnings: string[]): FinishReason {
  const known = FINISH_REASONS[finish]
  if (!known) warnings.push(`Unknown finish reason '${finish.slice(0, 64)}', read as 'STOP'`)
  if (known && known !== 'stop') return known
  return parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : 'stop'
}

/** The counts that are there and can be stored. Gemini counts reasoning beside the other output. */
function readUsage(reported: unknown): Partial<TokenUsage> {
  if (!isObject(reported)) return {}
  const count = (name: string) => (isTokenCount(reported[name]) ? reported[name] : undefined)
  const [prompt, used] = [count('promptTokenCount'), count('toolUsePromptTokenCount')]
  const [answered, thought] = [count('candidatesTokenCount'), count('thoughtsTokenCount')]
  const cached_tokens = count('cachedContentTokenCount')
  return {
    ...(prompt !== undefined && { input_tokens: prompt + (used ?? 0) }),
    ...((answered ?? thought) !== undefined && { output_tokens: (answered ?? 0) + (thought ?? 0) }),
    ...(cached_tokens !== undefined && { cached_tokens }),
    ...(thought !== undefined && { reasoning_tokens: thought }),
  }
}

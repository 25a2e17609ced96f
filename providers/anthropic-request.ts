// A neutral request in the form of Anthropic's messages.
import type {
  ContentBlockParam,
  ImageBlockParam,
  MessageCreateParamsStreaming,
  TextBlockParam,
  ThinkingBlockParam,
  ToolResultBlockParam,
  ToolUseBlockParam,
} from '@anthropic-ai/sdk/resources/messages'
import { parseExact } from '../contracts/exact-json.ts'
import type { AssistantPart, ModelMessage, TextPart, UserPart } from '../contracts/model-messages.ts'
import type { Reasoning } from '../contracts/schemas/agent.ts'
import type { ReasoningMetadata } from './anthropic-reader.ts'
import { leftOut, type GenerateRequest } from './provider.ts'
import { NO_OUTPUT, sentArguments, sentName, USUAL_ID, withUniqueIds } from './sent-calls.ts'
import { strictSchema } from './strict-schema.ts'

/** Anthropic requires a limit in each request; older models refuse one beyond theirs. */
const MAX_TOKENS: readonly [RegExp, number][] = [
  [/^claude-3-(opus|sonnet|haiku)/, 4_096],
  [/^claude-3-5/, 8_192],
]
const USUAL_MAX_TOKENS = 32_000
/** Models that reason within a budget of tokens; newer ones decide for themselves how much. */
const BUDGETED = /^claude-(3-7|sonnet-4(-0|-5|-20)|sonnet-4$|opus-4(-0|-1|-5|-20)|opus-4$|haiku-4-5)/
const BUDGETS: Record<Exclude<Reasoning, 'none'>, number> = { low: 2_048, medium: 8_192, high: 16_384 }
/** Models that refuse a temperature: those after 4.6. */
const UNSAMPLED = /^claude-(?!2|3|instant|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-20\d{6})?$)/

interface Message {
  role: 'user' | 'assistant'
  content: ContentBlockParam[]
}

const CACHED = { type: 'ephemeral' as const }

/** @returns the body of the request, and what of it could not be expressed in this form */
export function toAnthropicParams(request: GenerateRequest): {
  params: MessageCreateParamsStreaming
  warnings: string[]
} {
  const { model, system, tools, response_schema } = request
  const warnings = leftOut(request, ['seed', 'frequency_penalty', 'presence_penalty'])
  // Texts of white space are refused.
  const stop = request.stop?.filter((each) => each.trim() !== '') ?? []
  const messages = merged(withUniqueIds(request.messages, USUAL_ID).map((message) => toMessage(message, warnings)))
  const most = request.max_output_tokens ?? MAX_TOKENS.find(([names]) => names.test(model))?.[1] ?? USUAL_MAX_TOKENS
  // Old models refuse a request that could go beyond their window.
  const max_tokens = Math.min(most, request.output_room ?? Infinity)
  const thinking = toThinking(request, max_tokens, warnings)
  const isThinking = thinking !== undefined && thinking.type !== 'disabled'
  const sampling = isThinking || UNSAMPLED.test(model) ? {} : toSampling(request)
  if (request.temperature !== undefined && Object.keys(sampling).length === 0)
    warnings.push(`The temperature was left out: the model takes none${isThinking ? ' while it reasons' : ''}`)
  const effort = isThinking && thinking.type === 'adaptive' ? { effort: request.reasoning as 'low' } : {}
  const format = response_schema === undefined ? {} : { format: toFormat(response_schema) }
  const output = { ...effort, ...format }
  // The instructions and the tools before them are the same in every request of a conversation; within a turn so is all before the
  // last message.
  if (tools.length > 0) markLast(messages)
  return {
    params: {
      model,
      max_tokens,
      stream: true,
      ...(system !== '' && { system: [{ type: 'text', text: system, cache_control: CACHED }] }),
      messages,
      ...(tools.length > 0 && {
        tools: tools.map(({ name, description, parameters }) => ({
          name,
          ...(description !== '' && { description }),
          input_schema: { type: 'object', ...parameters },
        })),
        ...toChoice(request, isThinking, warnings),
      }),
      ...sampling,
      ...(stop.length > 0 && { stop_sequences: stop }),
      ...(thinking && { thinking }),
      ...(Object.keys(output).length > 0 && { output_config: output }),
    },
    warnings,
  }
}

/** A model that reasons refuses to be told to call a tool. */
function toChoice({ tool_choice }: GenerateRequest, isThinking: boolean, warnings: string[]) {
  if (tool_choice === undefined) return {}
  if (isThinking) {
    warnings.push('That a tool must be called was left out: the model takes that only while it does not reason')
    return {}
  }
  return {
    tool_choice: tool_choice === 'required' ? { type: 'any' as const } : { type: 'tool' as const, ...tool_choice },
  }
}

function toFormat(schema: unknown) {
  return { type: 'json_schema' as const, schema: strictSchema(schema) }
}

/** Newer models refuse both at once. */
function toSampling({ temperature, top_p }: GenerateRequest) {
  if (temperature !== undefined) return { temperature: Math.min(temperature, 1) }
  return top_p === undefined ? {} : { top_p }
}

function toThinking({ model, reasoning, messages }: GenerateRequest, maxTokens: number, warnings: string[]) {
  if (reasoning === undefined) return undefined
  if (reasoning === 'none') return { type: 'disabled' as const }
  if (!BUDGETED.test(model)) return { type: 'adaptive' as const, display: 'summarized' as const }
  if (hasForeignCalls(messages)) {
    warnings.push('The model does not reason in this step: another one made the calls before it')
    return undefined
  }
  const budget_tokens = Math.min(BUDGETS[reasoning], maxTokens - 1_024)
  return budget_tokens < 1_024 ? undefined : { type: 'enabled' as const, budget_tokens }
}

/** With a budget, calls of the current turn must follow their reasoning, which only Anthropic's own have. */
function hasForeignCalls(messages: readonly ModelMessage[]): boolean {
  const current = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1)
  return current.some(
    ({ role, parts }) =>
      role === 'assistant' &&
      parts.some(({ type }) => type === 'tool_call') &&
      !parts.some((part) => part.type === 'reasoning' && toThinkingBlock(part) !== undefined),
  )
}

function markLast(messages: Message[]): void {
  const last = messages.at(-1)?.content.at(-1)
  if (last && (last.type === 'text' || last.type === 'tool_result' || last.type === 'image'))
    last.cache_control = CACHED
}

/** One message after another of the same role is one message: results and what the user says after them. */
function merged(messages: Message[]): Message[] {
  const kept: Message[] = []
  for (const { role, content } of messages) {
    if (content.length === 0) continue
    const last = kept.at(-1)
    if (last?.role === role) last.content.push(...content)
    else kept.push({ role, content })
  }
  return kept
}

function toMessage(message: ModelMessage, warnings: string[]): Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.parts.flatMap((part) => toContent(part, warnings)) }
    case 'assistant':
      return { role: 'assistant', content: message.parts.flatMap(toAssistantContent) }
    case 'tool':
      return {
        role: 'user',
        content: message.parts.map(({ call_id, content, is_error }): ToolResultBlockParam => {
          const blocks = content.flatMap((part) => toContent(part, warnings))
          return {
            type: 'tool_result',
            tool_use_id: call_id,
            content: blocks.length > 0 ? blocks : NO_OUTPUT,
            ...(is_error && { is_error }),
          }
        }),
      }
  }
}

/** Blank text is refused. */
function toContent(part: UserPart, warnings: string[]): (TextBlockParam | ImageBlockParam)[] {
  switch (part.type) {
    case 'text':
      return toText(part)
    case 'image': {
      const media_type = part.media_type as 'image/png'
      return [{ type: 'image', source: { type: 'base64', media_type, data: part.base64 } }]
    }
    case 'audio':
      warnings.push(`A recording of type '${part.media_type}' was left out`)
      return [{ type: 'text', text: `[A recording of type ${part.media_type} was left out.]` }]
  }
}

function toText({ text }: TextPart): TextBlockParam[] {
  return text.trim() === '' ? [] : [{ type: 'text', text }]
}

function toAssistantContent(part: AssistantPart): ContentBlockParam[] {
  switch (part.type) {
    case 'text':
      return toText(part)
    case 'reasoning':
      return [toThinkingBlock(part)].flatMap((block) => block ?? [])
    case 'tool_call': {
      const { id, name, arguments: args } = part
      const call: ToolUseBlockParam = {
        type: 'tool_use',
        id,
        name: sentName(name),
        input: parseExact(sentArguments(args)),
      }
      return [call]
    }
  }
}

/** Reasoning goes back with its signature; without one it is not Anthropic's. */
function toThinkingBlock({
  text,
  metadata,
}: Extract<AssistantPart, { type: 'reasoning' }>): ThinkingBlockParam | ContentBlockParam | undefined {
  const { signature, redacted } = (metadata ?? {}) as ReasoningMetadata
  if (typeof redacted === 'string') return { type: 'redacted_thinking', data: redacted }
  return typeof signature === 'string' ? { type: 'thinking', thinking: text, signature } : undefined
}

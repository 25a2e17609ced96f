// A neutral request in the form of OpenAI's chat completions.
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
} from 'openai/resources/chat/completions'
import type {
  AssistantPart,
  ImagePart,
  ModelMessage,
  ToolCallPart,
  ToolResultPart,
  UserPart,
} from '../contracts/model-messages.ts'
import { dialectOf, type Dialect } from './dialects.ts'
import type { CallMetadata } from './openai-calls.ts'
import { REASONING_FIELDS, type ReasoningMetadata } from './openai-reader.ts'
import type { GenerateRequest } from './provider.ts'
import { NO_OUTPUT, sentArguments, sentName, withUniqueIds } from './sent-calls.ts'
import { strictSchema } from './strict-schema.ts'

/** Formats of recordings that chat completions take, by media type. */
const AUDIO_FORMATS: Record<string, 'wav' | 'mp3'> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mpeg': 'mp3',
  'audio/mp3': 'mp3',
}

/** @returns the body of the request, and what of it could not be expressed in this form */
export function toParams(
  request: GenerateRequest,
  dialect: Dialect = dialectOf('openai', undefined),
): {
  params: ChatCompletionCreateParamsStreaming
  warnings: string[]
} {
  const warnings: string[] = []
  const params: ChatCompletionCreateParamsStreaming = {
    model: request.model,
    stream: true,
    ...(dialect.asks_usage && { stream_options: { include_usage: true } }),
    messages: [
      ...(request.system === '' ? [] : [{ role: 'system' as const, content: request.system }]),
      ...withUniqueIds(request.messages, dialect.ids).flatMap((message) => toMessages(message, warnings)),
    ],
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.top_p !== undefined && { top_p: request.top_p }),
    ...(request.stop !== undefined && { stop: request.stop }),
    ...(request.seed !== undefined && { [dialect.seed]: request.seed }),
    ...(request.frequency_penalty !== undefined && { frequency_penalty: request.frequency_penalty }),
    ...(request.presence_penalty !== undefined && { presence_penalty: request.presence_penalty }),
    ...(request.tools.length > 0 && {
      tools: request.tools.map((tool) => ({ type: 'function' as const, function: tool })),
      ...(request.tool_choice !== undefined && { tool_choice: toChoice(request.tool_choice) }),
    }),
    ...(request.max_output_tokens !== undefined && { [dialect.max_tokens]: request.max_output_tokens }),
    ...(request.reasoning !== undefined && dialect.reasoning(request.reasoning)),
    ...(request.response_schema !== undefined && { response_format: toFormat(request.response_schema) }),
  }
  return { params, warnings }
}

function toChoice(choice: NonNullable<GenerateRequest['tool_choice']>) {
  return choice === 'required' ? choice : { type: 'function' as const, function: choice }
}

function toFormat(schema: unknown) {
  return {
    type: 'json_schema' as const,
    json_schema: { name: 'answer', schema: strictSchema(schema, true), strict: true },
  }
}

function toMessages(message: ModelMessage, warnings: string[]): ChatCompletionMessageParam[] {
  switch (message.role) {
    case 'user':
      return [{ role: 'user', content: toContent(message.parts, warnings) }]
    case 'assistant':
      return [toAssistant(message.parts)]
    case 'tool':
      return toResults(message.parts, warnings)
  }
}

function toContent(parts: UserPart[], warnings: string[]): string | ChatCompletionContentPart[] {
  const [first] = parts
  if (!first) return ''
  if (parts.length === 1 && first.type === 'text') return first.text
  return parts.filter((part) => part.type !== 'text' || part.text !== '').map((part) => toContentPart(part, warnings))
}

function toContentPart(part: UserPart, warnings: string[]): ChatCompletionContentPart {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'image':
      return { type: 'image_url', image_url: { url: `data:${part.media_type};base64,${part.base64}` } }
    case 'audio': {
      const format = AUDIO_FORMATS[part.media_type]
      if (format) return { type: 'input_audio', input_audio: { data: part.base64, format } }
      warnings.push(`A recording of type '${part.media_type}' was left out`)
      return { type: 'text', text: `[A recording of type ${part.media_type} was left out.]` }
    }
  }
}

/** Reasoning goes back with the calls that it led to, in the field in which it came; servers that gave none get none. */
function toAssistant(parts: AssistantPart[]): ChatCompletionAssistantMessageParam {
  const content = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  const calls = parts.filter((part) => part.type === 'tool_call')
  if (calls.length === 0) return { role: 'assistant', content }
  const reasoning = REASONING_FIELDS.flatMap((field) => {
    const text = parts
      .map((part) =>
        part.type === 'reasoning' && (part.metadata as ReasoningMetadata | undefined)?.field === field ? part.text : '',
      )
      .join('')
    return text === '' ? [] : [[field, text] as const]
  })
  return { role: 'assistant', content, tool_calls: calls.map(toToolCall), ...Object.fromEntries(reasoning) }
}

function toToolCall({ id, name, arguments: args, metadata }: ToolCallPart): ChatCompletionMessageToolCall {
  return {
    id,
    type: 'function',
    function: { name: sentName(name), arguments: sentArguments(args) },
    ...(metadata as CallMetadata | undefined),
  }
}

const PICTURES_FOLLOW = '(The pictures of the results follow.)'

/** The result of a tool is text only: its pictures follow after all results of the step, as if the user had sent them. */
function toResults(parts: ToolResultPart[], warnings: string[]): ChatCompletionMessageParam[] {
  const results = parts.map(({ call_id, content }) => ({
    role: 'tool' as const,
    tool_call_id: call_id,
    content: content.map((part) => (part.type === 'text' ? part.text : '')).join('') || NO_OUTPUT,
  }))
  const images = parts.flatMap(({ content }) => content.filter((part): part is ImagePart => part.type === 'image'))
  if (images.length === 0) return results
  const shown = [{ type: 'text' as const, text: 'Pictures in the answers of the tools:' }, ...images]
  return [
    ...results,
    // Strict servers refuse a user message directly after a result.
    { role: 'assistant', content: PICTURES_FOLLOW },
    { role: 'user', content: toContent(shown, warnings) },
  ]
}

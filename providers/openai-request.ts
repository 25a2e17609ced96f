// A neutral request in the form of OpenAI's chat completions.
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
} from 'openai/resources/chat/completions'
import { isObjectText } from '../contracts/json.ts'
import type {
  AssistantPart,
  ImagePart,
  ModelMessage,
  ToolCallPart,
  ToolResultPart,
  UserPart,
} from '../contracts/model-messages.ts'
import type { CallMetadata } from './openai-calls.ts'
import { REASONING_FIELDS, type ReasoningMetadata } from './openai-reader.ts'
import type { GenerateRequest } from './provider.ts'

/** Formats of recordings that chat completions take, by media type. */
const AUDIO_FORMATS: Record<string, 'wav' | 'mp3'> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mpeg': 'mp3',
  'audio/mp3': 'mp3',
}

/** @returns the body of the request, and what of it could not be said in this form */
export function toParams(request: GenerateRequest): {
  params: ChatCompletionCreateParamsStreaming
  warnings: string[]
} {
  const warnings: string[] = []
  const params: ChatCompletionCreateParamsStreaming = {
    model: request.model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      ...(request.system === '' ? [] : [{ role: 'system' as const, content: request.system }]),
      ...withUniqueIds(request.messages).flatMap((message) => toMessages(message, warnings)),
    ],
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.top_p !== undefined && { top_p: request.top_p }),
    ...(request.tools.length > 0 && {
      tools: request.tools.map((tool) => ({ type: 'function' as const, function: tool })),
    }),
    ...(request.response_schema !== undefined && {
      response_format: {
        type: 'json_schema' as const,
        json_schema: { name: 'answer', schema: request.response_schema as Record<string, unknown>, strict: true },
      },
    }),
  }
  return { params, warnings }
}

/** Some servers give calls of different steps one id, or none: each result must answer exactly one call. */
function withUniqueIds(messages: ModelMessage[]): ModelMessage[] {
  const used = new Set<string>()
  /** New ids of the calls of the latest assistant message, in their order, by the id that the model gave. */
  let renamed = new Map<string, string[]>()
  const unique = (id: string) => {
    let free = id
    for (let n = 1; free === '' || used.has(free); n += 1) free = callId(n)
    used.add(free)
    renamed.set(id, [...(renamed.get(id) ?? []), free])
    return free
  }
  return messages.map((message): ModelMessage => {
    if (message.role === 'tool') {
      const parts = message.parts.map((part) => ({
        ...part,
        call_id: renamed.get(part.call_id)?.shift() ?? part.call_id,
      }))
      return { ...message, parts }
    }
    if (message.role !== 'assistant') return message
    renamed = new Map()
    const parts = message.parts.map((part) => (part.type === 'tool_call' ? { ...part, id: unique(part.id) } : part))
    return { ...message, parts }
  })
}

/** Strict servers take ids of nine letters and digits only (Mistral). */
function callId(n: number): string {
  return `call${String(n).padStart(5, '0')}`
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
    function: { name: name.replaceAll(/[^\w-]/g, '_').slice(0, 64) || '_', arguments: toArguments(args) },
    ...(metadata as CallMetadata | undefined),
  }
}

const NO_OUTPUT = '(no output)'
const PICTURES_FOLLOW = '(The pictures of the results follow.)'

/** Strict servers parse the arguments of earlier calls: what the model wrote that is no JSON object goes back inside of one. */
function toArguments(args: string): string {
  if (args.trim() === '') return '{}'
  return isObjectText(args) ? args : JSON.stringify({ not_json: args })
}

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

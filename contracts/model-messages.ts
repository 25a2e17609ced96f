// What models are sent and what they answer, whatever the vendor: messages made of parts.

/** What a provider needs back with the next request, such as a signature of its reasoning. Only the model that gave it gets it. */
export type ProviderMetadata = Record<string, unknown>

export interface TextPart {
  type: 'text'
  text: string
  metadata?: ProviderMetadata
}

export interface ReasoningPart {
  type: 'reasoning'
  text: string
  metadata?: ProviderMetadata
}

export interface ImagePart {
  type: 'image'
  media_type: string
  base64: string
}

export interface AudioPart {
  type: 'audio'
  media_type: string
  base64: string
}

export interface ToolCallPart {
  type: 'tool_call'
  /** The provider's id, given back to it with the result. */
  id: string
  name: string
  /** As the model wrote them: JSON, or not. */
  arguments: string
  metadata?: ProviderMetadata
}

export interface ToolResultPart {
  type: 'tool_result'
  call_id: string
  name: string
  content: (TextPart | ImagePart)[]
  is_error: boolean
}

export type UserPart = TextPart | ImagePart | AudioPart
export type AssistantPart = TextPart | ReasoningPart | ToolCallPart

/** Instructions are no message: a request has one system prompt beside its messages. */
export type ModelMessage =
  | { role: 'user'; parts: UserPart[] }
  | { role: 'assistant'; parts: AssistantPart[] }
  | { role: 'tool'; parts: ToolResultPart[] }

/** Why a model ended its reply. `length` and `content_filter`: the reply was cut; `refusal`: its text says that the model refuses. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal' | 'error'

/** In tokens. */
export interface TokenUsage {
  /** All of the input, cached tokens included. */
  input_tokens: number
  /** All of the output, reasoning included. */
  output_tokens: number
  /** Of the input, what was read from the provider's cache. */
  cached_tokens?: number
  /** Of the input, what was written to the provider's cache, where that has a price of its own. */
  cache_write_tokens?: number
  reasoning_tokens?: number
}

/** Largest count that the columns of tokens hold. */
const MAX_TOKENS = 2_147_483_647

/** Whether a value is a count of tokens that can be stored. */
export function isTokenCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS
}

export function textPart(text: string): TextPart {
  return { type: 'text', text }
}

/** The text of a message, without reasoning, calls and pictures. */
export function textOf({ parts }: ModelMessage): string {
  return parts.map(textOfPart).join('')
}

function textOfPart(part: ModelMessage['parts'][number]): string {
  if (part.type === 'tool_result') return part.content.map(textOfPart).join('')
  return part.type === 'text' ? part.text : ''
}

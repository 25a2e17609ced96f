// The interface of every language model: one request, text and reasoning as they come, one result, one kind of failure.
import type { Reasoning } from '../contracts/schemas/agent.ts'
import type { AssistantPart, FinishReason, ModelMessage, TokenUsage } from '../contracts/model-messages.ts'

export interface ToolDefinition {
  name: string
  description: string
  /** JSON Schema of the arguments. */
  parameters: Record<string, unknown>
  /** The vendor is to enforce the schema, which is one of those that it can enforce. */
  strict?: boolean | undefined
}

export interface GenerateRequest {
  model: string
  /** The one system prompt; empty when there is none. */
  system: string
  messages: ModelMessage[]
  tools: ToolDefinition[]
  /** The model must call one of the tools, or this one; it decides for itself when left out. */
  tool_choice?: 'required' | { name: string } | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  /** How much the model is to reason before it answers; the vendor's default when left out. */
  reasoning?: Reasoning | undefined
  /** Longest reply, in tokens, reasoning included. */
  max_output_tokens?: number | undefined
  /** The reply ends before one of these texts. */
  stop?: string[] | undefined
  seed?: number | undefined
  /** From -2 to 2. */
  frequency_penalty?: number | undefined
  presence_penalty?: number | undefined
  /** Tokens that the context window leaves for the reply, estimated; undefined when it is not known. */
  output_room?: number | undefined
  /** The recalled passages and messages that stand in the messages, once more as data. */
  passages: { document: string; page?: number; content: string }[]
  /** JSON Schema that the answer must follow. */
  response_schema?: unknown
}

/** A piece of a reply while it streams. */
export interface Delta {
  /** `refusal` is text of the reply by which the model refuses. `tool_call` says that a call begins; its text is empty. */
  type: 'text' | 'refusal' | 'reasoning' | 'tool_call'
  text: string
}

export interface GenerateResult {
  /** The whole reply, in the order in which the model gave it. */
  parts: AssistantPart[]
  finish_reason: FinishReason
  /** What the provider counted; what is missing is estimated. */
  usage: Partial<TokenUsage>
  /** What of the request the provider did not follow, and what of the answer is not understood. */
  warnings: string[]
}

export interface Provider {
  readonly name: string
  /**
   * Calls the model once; never retries by itself.
   * @param onDelta takes each piece in order; while its promise is pending no more is read
   * @throws ProviderFailure, or the signal's reason when it aborts
   */
  generate(
    request: GenerateRequest,
    onDelta: (delta: Delta) => Promise<void>,
    signal: AbortSignal,
  ): Promise<GenerateResult>
}

/** Warnings for what a request has that the vendor does not know. */
export function leftOut(request: GenerateRequest, unknown: readonly (keyof GenerateRequest)[]): string[] {
  return unknown
    .filter((name) => request[name] !== undefined)
    .map((name) => `'${name}' was left out: the vendor has no such parameter`)
}

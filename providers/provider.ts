// What every language model looks like from inside: one request, text as it comes, one result, one kind of failure.

export interface ToolDefinition {
  name: string
  description: string
  /** JSON Schema of the arguments. */
  parameters: Record<string, unknown>
}

export interface RequestedCall {
  /** The provider's id, given back to it with the result. */
  id: string
  name: string
  /** As the model wrote them: JSON, or not. */
  arguments: string
}

export interface PromptImage {
  media_type: string
  base64: string
}

export type PromptMessage =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string; images: PromptImage[] }
  | { role: 'assistant'; content: string; calls: RequestedCall[] }
  | { role: 'tool'; call_id: string; content: string; images?: PromptImage[] }

export interface GenerateRequest {
  model: string
  messages: PromptMessage[]
  tools: ToolDefinition[]
  temperature?: number | undefined
  top_p?: number | undefined
  /** The passages of documents that stand in the messages, once more as data. */
  passages: { document: string; page: number; content: string }[]
  /** JSON Schema that the answer must follow. */
  response_schema?: unknown
}

export interface GenerateResult {
  calls: RequestedCall[]
  /** Undefined when the provider did not tell. */
  usage: { input_tokens: number; output_tokens: number } | undefined
}

export interface Provider {
  readonly name: string
  /**
   * Calls the model once; never retries by itself.
   * @param onText takes each piece of text in order; while its promise is pending no more is read
   * @throws ProviderFailure, or the signal's reason when it aborts
   */
  generate(
    request: GenerateRequest,
    onText: (text: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<GenerateResult>
}

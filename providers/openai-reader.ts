// Reads the chunks of OpenAI's chat completions, as OpenAI and compatible servers stream them, into the parts of a reply.
import type { AssistantPart, FinishReason, TokenUsage, ToolCallPart } from '../contracts/model-messages.ts'
import { ProviderFailure } from './failure.ts'
import type { Delta, GenerateResult } from './provider.ts'

/** Where servers put reasoning: vLLM, llama.cpp and DeepSeek; OpenRouter, Groq and Ollama. */
export const REASONING_FIELDS = ['reasoning_content', 'reasoning'] as const

/** The metadata of a reasoning part: the field in which it came, and in which it goes back. */
export interface ReasoningMetadata {
  field: (typeof REASONING_FIELDS)[number]
}

/** The metadata of a call: fields that the server wants back with it. */
export interface CallMetadata {
  /** Gemini keeps its thought signatures here. */
  extra_content?: object
}

/** What is read of a chunk: any field may be missing, null or of another type. */
export interface Chunk {
  choices?: { delta?: ChunkDelta | null; finish_reason?: unknown }[] | null
  usage?: unknown
}

type ChunkDelta = {
  content?: unknown
  refusal?: unknown
  tool_calls?:
    | {
        index: number
        id?: string | null
        function?: { name?: string | null; arguments?: string | null } | null
        extra_content?: unknown
      }[]
    | null
} & { [F in (typeof REASONING_FIELDS)[number]]?: unknown }

const FINISH_REASONS: Record<string, FinishReason> = {
  stop: 'stop',
  eos: 'stop',
  length: 'length',
  max_tokens: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  'content-filter': 'content_filter',
  error: 'error',
  insufficient_system_resource: 'error',
}

/** @throws ProviderFailure when the stream ends without a finish reason */
export async function readChunks(
  chunks: AsyncIterable<Chunk>,
  onDelta: (delta: Delta) => Promise<void>,
  provider: string,
): Promise<GenerateResult> {
  const parts: AssistantPart[] = []
  const calls = new Map<number, ToolCallPart>()
  const warnings: string[] = []
  let usage: TokenUsage | undefined
  let finish: string | undefined

  async function add(type: 'text' | 'reasoning', text: unknown, metadata?: ReasoningMetadata): Promise<void> {
    if (typeof text !== 'string' || text === '') return
    const last = parts.at(-1)
    if (last?.type === type) last.text += text
    else parts.push({ type, text, ...(metadata && { metadata: { ...metadata } }) })
    await onDelta({ type, text })
  }

  async function addContent(content: unknown): Promise<void> {
    if (!Array.isArray(content)) return add('text', content)
    for (const part of content as { type?: unknown; text?: unknown; thinking?: unknown }[]) {
      if (part.type !== 'thinking') await add('text', part.text)
      else if (Array.isArray(part.thinking))
        for (const { text } of part.thinking as { text?: unknown }[]) await add('reasoning', text)
      else await add('reasoning', part.thinking)
    }
  }

  for await (const chunk of chunks) {
    usage = readUsage(chunk.usage) ?? usage
    const choice = chunk.choices?.[0]
    if (!choice) continue
    const delta = choice.delta ?? {}
    // Some servers send the same reasoning in both fields.
    const field = REASONING_FIELDS.find((name) => typeof delta[name] === 'string' && delta[name] !== '')
    if (field) await add('reasoning', delta[field], { field })
    await addContent(delta.content)
    await add('text', delta.refusal)
    for (const piece of delta.tool_calls ?? []) {
      let call = calls.get(piece.index)
      if (!call) {
        call = { type: 'tool_call', id: '', name: '', arguments: '' }
        calls.set(piece.index, call)
        parts.push(call)
      }
      if (piece.id) call.id = piece.id
      call.name += piece.function?.name ?? ''
      call.arguments += piece.function?.arguments ?? ''
      if (piece.extra_content) call.metadata = { extra_content: piece.extra_content }
    }
    if (typeof choice.finish_reason === 'string' && choice.finish_reason !== '') finish = choice.finish_reason
  }
  if (finish === undefined)
    throw new ProviderFailure('retry', 'The model ended its answer without saying that it was finished', { provider })
  return { parts, finish_reason: readFinish(finish, calls.size > 0, warnings), usage, warnings }
}

/** Servers say `stop` of replies with calls and `tool_calls` of replies without: the parts decide. */
function readFinish(finish: string, hasCalls: boolean, warnings: string[]): FinishReason {
  const known = FINISH_REASONS[finish.toLowerCase()]
  if (!known) warnings.push(`Unknown finish reason '${finish.slice(0, 64)}', read as 'stop'`)
  if (known && known !== 'stop' && known !== 'tool_calls') return known
  return hasCalls ? 'tool_calls' : 'stop'
}

interface ChunkUsage {
  prompt_tokens?: unknown
  completion_tokens?: unknown
  prompt_tokens_details?: { cached_tokens?: unknown } | null
  completion_tokens_details?: { reasoning_tokens?: unknown } | null
}

/** Undefined unless both counts are there: it is estimated then. */
function readUsage(usage: unknown): TokenUsage | undefined {
  if (typeof usage !== 'object' || usage === null) return undefined
  const told = usage as ChunkUsage
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = told
  if (!isCount(input_tokens) || !isCount(output_tokens)) return undefined
  const cached_tokens = told.prompt_tokens_details?.cached_tokens
  const reasoning_tokens = told.completion_tokens_details?.reasoning_tokens
  return {
    input_tokens,
    output_tokens,
    ...(isCount(cached_tokens) && { cached_tokens }),
    ...(isCount(reasoning_tokens) && { reasoning_tokens }),
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

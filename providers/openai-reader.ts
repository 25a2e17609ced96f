// Reads the chunks of OpenAI's chat completions, as OpenAI and compatible servers stream them, into the parts of a reply.
import { isTokenCount, type FinishReason, type TokenUsage } from '../contracts/model-messages.ts'
import { ProviderFailure, ReportedError } from './failure.ts'
import { CallReader } from './openai-calls.ts'
import type { Delta, GenerateResult } from './provider.ts'
import { ReplyParts } from './reply-parts.ts'

/** Where servers put reasoning: vLLM, llama.cpp and DeepSeek; OpenRouter, Groq and Ollama. */
export const REASONING_FIELDS = ['reasoning_content', 'reasoning'] as const

/** The metadata of a reasoning part: the field in which it came, and in which it goes back. */
export interface ReasoningMetadata {
  field: (typeof REASONING_FIELDS)[number]
}

/** What is read of a chunk: any field may be missing, null or of another type. */
export interface Chunk {
  object?: unknown
  error?: unknown
  choices?: (Choice | null)[] | null
  usage?: unknown
  /** Groq. */
  x_groq?: { usage?: unknown } | null
}

interface Choice {
  delta?: ChunkDelta | null
  /** In place of the delta when the answer is not streamed. */
  message?: ChunkDelta | null
  finish_reason?: unknown
  /** Moonshot. */
  usage?: unknown
  error?: unknown
}

type ChunkDelta = {
  content?: unknown
  refusal?: unknown
  tool_calls?: unknown
  /** The form before tools. */
  function_call?: unknown
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
  contentfilter: 'content_filter',
  end_turn: 'stop',
  stop_sequence: 'stop',
  tool_use: 'tool_calls',
  safety: 'content_filter',
  error: 'error',
  insufficient_system_resource: 'error',
}

/**
 * @throws ProviderFailure when the stream ends without a finish reason and without an answer
 * @throws ReportedError when the server reports an error in place of a chunk
 */
export async function readChunks(
  chunks: AsyncIterable<Chunk>,
  onDelta: (delta: Delta) => Promise<void>,
  provider: string,
): Promise<GenerateResult> {
  const reply = new ReplyParts(onDelta)
  const { parts } = reply
  const calls = new CallReader()
  const warnings: string[] = []
  const usage: Partial<TokenUsage> = {}
  let finish: string | undefined

  async function addContent(content: unknown): Promise<void> {
    if (typeof content === 'string') return reply.add('text', content)
    for (const { type, text, refusal, thinking } of partsOf(content)) {
      if (type !== 'thinking' && type !== 'reasoning') {
        await reply.add('text', text)
        await reply.add('refusal', refusal)
      } else if (typeof thinking === 'string' || thinking === undefined) await reply.add('reasoning', thinking ?? text)
      else for (const thought of partsOf(thinking)) await reply.add('reasoning', thought.text)
    }
  }

  for await (const chunk of chunks) {
    const choice = Array.isArray(chunk?.choices) ? chunk.choices[0] : undefined
    throwReported(chunk, choice)
    Object.assign(usage, readUsage(choice?.usage), readUsage(chunk?.x_groq?.usage), readUsage(chunk?.usage))
    if (!choice) continue
    const delta = choice.delta ?? (parts.length === 0 ? choice.message : undefined) ?? {}
    // Some servers send the same reasoning in both fields.
    const field = REASONING_FIELDS.find((name) => typeof delta[name] === 'string' && delta[name] !== '')
    if (field) await reply.add('reasoning', delta[field], { field })
    await addContent(delta.content)
    await reply.add('refusal', delta.refusal)
    for (const call of calls.read(delta.tool_calls, delta.function_call)) await reply.addCall(call)
    if (typeof choice.finish_reason === 'string' && choice.finish_reason !== '') finish = choice.finish_reason
  }
  await reply.finish()
  const isCut = finish === undefined && !calls.areComplete
  const kept = calls.finish()
  const usable = parts.filter((part) => part.type !== 'tool_call' || kept.has(part))
  if (finish === undefined) {
    if (isCut || !usable.some(({ type }) => type !== 'reasoning'))
      throw new ProviderFailure('retry', 'The model ended its answer without saying that it was finished', { provider })
    warnings.push("No finish reason, read as 'stop'")
  }
  const told = readFinish(finish ?? 'stop', kept.size > 0, warnings)
  return { parts: usable, finish_reason: reply.endedBy(told), usage, warnings }
}

/** The items of a list that are objects; one object is a list of one. */
function partsOf(content: unknown): { type?: unknown; text?: unknown; refusal?: unknown; thinking?: unknown }[] {
  return [content].flat().flatMap((part: unknown) => {
    if (typeof part === 'string') return [{ text: part }]
    return typeof part === 'object' && part !== null ? [part] : []
  })
}

/** An error in place of a chunk, or of a whole answer: `{"error": …}`, or `{"object": "error", …}` (vLLM). */
function throwReported(chunk: Chunk | undefined, choice: Choice | null | undefined): void {
  const error = chunk?.object === 'error' ? chunk : (chunk?.error ?? choice?.error)
  if (error) throw new ReportedError(error)
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

/** The counts that are there and can be stored; what is missing is estimated. */
function readUsage(usage: unknown): Partial<TokenUsage> {
  if (typeof usage !== 'object' || usage === null) return {}
  const counted = usage as ChunkUsage
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = counted
  const cached_tokens = counted.prompt_tokens_details?.cached_tokens
  const reasoning_tokens = counted.completion_tokens_details?.reasoning_tokens
  return {
    ...(isTokenCount(input_tokens) && { input_tokens }),
    ...(isTokenCount(output_tokens) && { output_tokens }),
    ...(isTokenCount(cached_tokens) && { cached_tokens }),
    ...(isTokenCount(reasoning_tokens) && { reasoning_tokens }),
  }
}

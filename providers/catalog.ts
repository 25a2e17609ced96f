// What is known of providers and models: defaults, prices, context windows and pictures. The one place for it; decision 036.
import { calcPrice, findProvider } from '@pydantic/genai-prices'
import type { TokenUsage } from '../contracts/model-messages.ts'
import type { Provider } from '../contracts/schemas/agent.ts'
import type { OwnModel, OwnModels } from '../contracts/schemas/own-models.ts'
import type { ModelRef } from '../contracts/turn.ts'

/** Used where only a provider's key is configured. */
export const DEFAULT_MODELS = {
  openai: {
    chat: 'gpt-4.1-mini',
    embedding: 'text-embedding-3-small',
    transcription: 'whisper-1',
    speech: 'gpt-4o-mini-tts',
  },
  deepgram: { transcription: 'nova-3' },
  anthropic: { chat: 'claude-sonnet-5' },
  gemini: { chat: 'gemini-3.5-flash' },
  xai: { chat: 'grok-4-fast' },
  deepseek: { chat: 'deepseek-chat' },
  mistral: { chat: 'mistral-small-latest' },
  groq: { chat: 'llama-3.3-70b-versatile' },
  openrouter: { chat: 'openrouter/auto' },
} as const

/** The providers that an agent without a model may get, the first one that is configured. */
export const AUTO_VENDORS = [
  'openai',
  'anthropic',
  'gemini',
  'xai',
  'deepseek',
  'mistral',
  'groq',
  'openrouter',
] as const

/** Dimension of each known embedding model, and whether it can be asked for another one. */
export const EMBEDDING_MODELS: Readonly<Record<string, { dimension: number; shortens: boolean }>> = {
  // Shortened: a search looks at every vector, and 384 numbers of this model keep nearly all it knows.
  'text-embedding-3-small': { dimension: 384, shortens: true },
  'text-embedding-3-large': { dimension: 384, shortens: true },
  'text-embedding-ada-002': { dimension: 1_536, shortens: false },
  'gemini-embedding-001': { dimension: 768, shortens: true },
  'mistral-embed': { dimension: 1_024, shortens: false },
  'nomic-embed-text': { dimension: 768, shortens: false },
}

/** The model that a speech-to-text server lists. */
export const SPEECH_TO_TEXT = /whisper|parakeet|moonshine|canary/i

/** The newer transcription models of OpenAI return no times. */
export function returnsTimes(transcriptionModel: string): boolean {
  return !transcriptionModel.startsWith('gpt-')
}

export interface PictureLimits {
  /** Longest side, in pixels: more is scaled down by the vendor, and paid for. */
  max_side: number
  max_bytes: number
}

const MB = 2 ** 20
/** Pictures of one request and their bytes: vendors refuse larger requests, or scale the pictures down. */
export const MAX_PICTURES = 20
export const MAX_PICTURE_BYTES = 20 * MB
/** What most models take: used when the model that will see the picture is not known. */
export const USUAL_PICTURE: PictureLimits = { max_side: 1_568, max_bytes: 3.5 * MB }
/** Base64 makes a third more of it: Anthropic counts 5 MB after that. */
const PICTURES: Partial<Record<string, PictureLimits>> = {
  openai: { max_side: 2_048, max_bytes: 15 * MB },
  anthropic: USUAL_PICTURE,
  gemini: { max_side: 3_072, max_bytes: 10 * MB },
  xai: { max_side: 2_048, max_bytes: 7 * MB },
} satisfies Partial<Record<Provider, PictureLimits>>
/** Models of which it is known that they take text only. */
const NOT_TEXT_ONLY = /^(?!gpt-3\.5|gpt-4(-\d{4}|-32k)?$|o1-mini|o3-mini|deepseek-|text-|codex-|grok-(2|3)(-mini|$))/

/** Of servers that have models of many makers: those that take pictures, by their names. */
const SEEING =
  /vision|vl\b|llava|gemma-?3|pixtral|4v\b|omni|scout|maverick|minicpm-v|moondream|mistral-(small|medium|large)/i
const MANY_MAKERS = new Set(['groq', 'mistral', 'ollama', 'lmstudio', 'vllm', 'llamacpp'])

/** Models of which it is known that they call no tools. */
const NO_TOOLS =
  /^(gpt-3\.5-turbo-instruct|o1-mini|o1-preview|deepseek-reasoner$|text-|gemini-(1\.0|.*-image|.*-tts)|claude-(2|instant))/
/** Models that do not hold themselves to a schema by the vendor's means: for them it stands in the instructions. */
const NO_SCHEMA =
  /^(gpt-3\.5|gpt-4(-\d{4}|-32k|-turbo.*)?$|o1-mini|claude-(2|instant|3-|(sonnet|opus)-4(-0|-20\d+)?$)|deepseek-)/

/** The names of providers in the price table. */
const PRICED_AS: Partial<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'google',
  xai: 'x-ai',
  deepseek: 'deepseek',
  mistral: 'mistral',
  groq: 'groq',
  openrouter: 'openrouter',
} satisfies Partial<Record<Provider, string>>

/** What a request about sound uses besides tokens, or as part of them. */
export interface AudioUsage {
  /** Of the input tokens. */
  audio_tokens?: number | undefined
  /** Of sound that is transcribed. */
  audio_seconds?: number | undefined
  /** That are spoken. */
  characters?: number | undefined
}

/** What is known of one model. */
export interface ModelFacts {
  /** In tokens. */
  context_window: number | undefined
  /** Undefined for a model that takes no pictures. */
  pictures: PictureLimits | undefined
  /** Whether it calls tools. */
  tools: boolean
  /** Whether its vendor enforces a JSON Schema of the answer. */
  enforces_schema: boolean
  /** Whether its known price is one of tokens, and not of time or characters. */
  priced_by_tokens: boolean
  /** Cost of a request in US dollars; undefined when the price is not known. */
  costOf: (usage: TokenUsage & AudioUsage) => number | undefined
}

/** A version of a model by its date: gpt-4.1-2025-04-14, claude-sonnet-4-5-20250929. */
const DATE = /-20\d{2}-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$/
const NO_TOKENS: TokenUsage = { input_tokens: 0, output_tokens: 0 }

/**
 * Looks a model up: the operator's own entries first, then the table of its vendor. Each knows a name exactly, or else the same
 * name without a date at its end. No other prefix counts: `o3-pro` is not priced as `o3`.
 * @param address the `base_url` that the model is called at, when it is not the provider's own
 */
export function factsOf({ provider, model }: ModelRef, address: string | undefined, own: OwnModels): ModelFacts {
  const names = [model, model.replace(DATE, '')]
  const mine = names.map((name) => own[`${provider}:${name}`]).find((entry) => entry !== undefined)
  const vendor = vendorOf(provider, address)
  const listed = (usage: TokenUsage & AudioUsage) =>
    vendor && names.map((name) => calcPrice(toUnits(usage), name, { providerId: vendor })).find((found) => found)
  const sees = mine?.pictures ?? (MANY_MAKERS.has(provider) ? SEEING : NOT_TEXT_ONLY).test(model)
  return {
    context_window: mine?.context_window ?? (listed(NO_TOKENS) || undefined)?.model.context_window,
    pictures: sees ? (PICTURES[provider] ?? (provider === 'offline' ? undefined : USUAL_PICTURE)) : undefined,
    tools: mine?.tools ?? !NO_TOOLS.test(model),
    enforces_schema:
      mine?.response_schema ?? !(provider === 'deepseek' || provider === 'offline' || NO_SCHEMA.test(model)),
    priced_by_tokens: hasOwnPrice(mine)
      ? mine?.price !== undefined
      : (listed(NO_TOKENS) || undefined)?.model_price['input_mtok'] !== undefined,
    costOf: (usage) => (hasOwnPrice(mine) ? priceOf(mine!, usage) : (listed(usage) || undefined)?.total_price),
  }
}

/** An address of another vendor has that vendor's prices; any other may be a gateway to the provider. */
function vendorOf(provider: string, address: string | undefined): string | undefined {
  const there = address === undefined ? undefined : findProvider({ providerApiUrl: address })
  return there?.id ?? PRICED_AS[provider]
}

function toUnits(usage: TokenUsage & AudioUsage) {
  const { input_tokens, output_tokens, cached_tokens = 0, cache_write_tokens = 0 } = usage
  const { audio_tokens = 0, audio_seconds } = usage
  const cache_read_tokens = Math.min(cached_tokens, input_tokens)
  return {
    input_tokens,
    output_tokens,
    cache_read_tokens,
    ...(cache_write_tokens > 0 && {
      cache_write_tokens: Math.min(cache_write_tokens, input_tokens - cache_read_tokens),
    }),
    ...(audio_tokens > 0 && { input_audio_tokens: Math.min(audio_tokens, input_tokens) }),
    ...(audio_seconds !== undefined && { audio_seconds, input_audio_seconds: audio_seconds }),
  }
}

function hasOwnPrice({ price, price_per_minute, price_per_million_characters }: OwnModel = {}): boolean {
  return [price, price_per_minute, price_per_million_characters].some((each) => each !== undefined)
}

/** Undefined of a request in units that the operator has given no price of. */
function priceOf(
  { price, price_per_minute, price_per_million_characters }: OwnModel,
  usage: TokenUsage & AudioUsage,
): number | undefined {
  const { audio_seconds, characters } = usage
  if (price_per_minute !== undefined && audio_seconds !== undefined) return (price_per_minute * audio_seconds) / 60
  if (price_per_million_characters !== undefined && characters !== undefined)
    return (price_per_million_characters * characters) / 1e6
  if (!price) return undefined
  const { input_tokens, output_tokens, cache_read_tokens } = toUnits(usage)
  const { input, output, cached_input = input } = price
  return ((input_tokens - cache_read_tokens) * input + cache_read_tokens * cached_input + output_tokens * output) / 1e6
}

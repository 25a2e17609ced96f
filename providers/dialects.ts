// How vendors that speak OpenAI's chat completions differ in what they take.
import type { Reasoning } from '../contracts/schemas/agent.ts'
import { NINE_CHARACTERS } from './sent-calls.ts'

export interface Dialect {
  /** The field of the longest reply. */
  max_tokens: 'max_tokens' | 'max_completion_tokens'
  /** The field of the seed. */
  seed: 'seed' | 'random_seed'
  /** The fields that say how much to reason. */
  reasoning: (level: Reasoning) => object
  /** Whether `stream_options` is known: others count the tokens without being asked, or refuse what they do not know. */
  asks_usage: boolean
  /** The ids of calls that are accepted. */
  ids?: RegExp
}

const byEffort = (reasoning_effort: Reasoning) => ({ reasoning_effort })

const USUAL: Dialect = { max_tokens: 'max_tokens', seed: 'seed', reasoning: byEffort, asks_usage: true }

const DIALECTS: Readonly<Record<string, Partial<Dialect>>> = {
  deepseek: {
    reasoning: (level) => ({ thinking: { type: level === 'none' ? 'disabled' : 'enabled' } }),
  },
  mistral: { ids: NINE_CHARACTERS, seed: 'random_seed', asks_usage: false },
  openrouter: { reasoning: (level) => ({ reasoning: level === 'none' ? { enabled: false } : { effort: level } }) },
  vllm: { reasoning: (level) => ({ chat_template_kwargs: { enable_thinking: level !== 'none' } }) },
  llamacpp: { reasoning: (level) => ({ chat_template_kwargs: { enable_thinking: level !== 'none' } }) },
}

/** @param base_url the address when it is not OpenAI's own: servers behind it know the older name of the limit */
export function dialectOf(vendor: string, base_url: string | undefined): Dialect {
  if (vendor === 'openai' && base_url === undefined) return { ...USUAL, max_tokens: 'max_completion_tokens' }
  return { ...USUAL, ...DIALECTS[vendor] }
}

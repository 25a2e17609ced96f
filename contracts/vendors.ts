// The vendors of models that an agent may name: how they are configured, what they speak and where they are reached.

export interface Vendor {
  /** Of its settings: `<prefix>_API_KEY` and `<prefix>_BASE_URL`. */
  readonly prefix: string
  /** The protocol: chat completions of OpenAI, messages of Anthropic, or Gemini's own. */
  readonly speaks: 'openai' | 'anthropic' | 'gemini'
  /** Where it is reached when no address is configured; that of its own client when left out. */
  readonly base_url?: string
  /** A server on this machine, at the port that is usual for it. */
  readonly isLocal?: true
}

export const VENDORS = {
  openai: { prefix: 'OPENAI', speaks: 'openai' },
  anthropic: { prefix: 'ANTHROPIC', speaks: 'anthropic' },
  gemini: { prefix: 'GEMINI', speaks: 'gemini' },
  xai: { prefix: 'XAI', speaks: 'openai', base_url: 'https://api.x.ai/v1' },
  deepseek: { prefix: 'DEEPSEEK', speaks: 'openai', base_url: 'https://api.deepseek.com/v1' },
  mistral: { prefix: 'MISTRAL', speaks: 'openai', base_url: 'https://api.mistral.ai/v1' },
  groq: { prefix: 'GROQ', speaks: 'openai', base_url: 'https://api.groq.com/openai/v1' },
  openrouter: { prefix: 'OPENROUTER', speaks: 'openai', base_url: 'https://openrouter.ai/api/v1' },
  ollama: { prefix: 'OLLAMA', speaks: 'openai', base_url: 'http://127.0.0.1:11434/v1', isLocal: true },
  lmstudio: { prefix: 'LMSTUDIO', speaks: 'openai', base_url: 'http://127.0.0.1:1234/v1', isLocal: true },
  vllm: { prefix: 'VLLM', speaks: 'openai', base_url: 'http://127.0.0.1:8000/v1', isLocal: true },
  llamacpp: { prefix: 'LLAMACPP', speaks: 'openai', base_url: 'http://127.0.0.1:8080/v1', isLocal: true },
} as const satisfies Record<string, Vendor>

export type VendorName = keyof typeof VENDORS

export const VENDOR_NAMES = Object.keys(VENDORS) as VendorName[]

export function vendorOf(name: VendorName): Vendor {
  return VENDORS[name]
}

// From an agent's config to the models that answer for it: the chain in order, and a provider opened with the right credential.
import type { ModelRef } from '../contracts/engine.ts'
import type { ProvidersSettings } from '../contracts/model-check.ts'
import type { AgentConfig, FallbackModel } from '../contracts/schemas/agent.ts'
import { offlineProvider } from './offline.ts'
import { openaiProvider } from './openai.ts'
import type { Provider } from './provider.ts'

/** What `auto` asks of OpenAI when only a key is known. */
const DEFAULT_OPENAI_MODEL = 'gpt-4.1-mini'

export interface RegistryOptions {
  providers: ProvidersSettings
  offline_words_per_second: number
  /** Longest silence of a model before its call is given up, in milliseconds. */
  stall_ms: number
}

/** A model of a chain with what its call needs besides the messages. */
export interface ChainModel extends ModelRef {
  temperature?: number | undefined
  top_p?: number | undefined
  base_url?: string | undefined
  /** Where in the agent's secrets its key would be. */
  key_path: string
}

export class ModelRegistry {
  readonly #options: RegistryOptions
  readonly #open = new Map<string, Provider>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** The models of an agent, in the order in which they are asked. Without any: the first provider with a key, else offline. */
  chainOf(config: Pick<AgentConfig, 'model'>): ChainModel[] {
    if (!config.model) return [this.#auto()]
    const { fallbacks = [], ...first } = config.model
    return [
      toChainModel(first, 'model.api_key'),
      ...fallbacks.map((model, index) => toChainModel(model, `model.fallbacks.${index}.api_key`)),
    ]
  }

  /** A provider for a model of the chain. @param apiKey the agent's own key, when it has one */
  open(model: ChainModel, apiKey: string | undefined): Provider {
    const cacheKey = JSON.stringify([model.provider, model.base_url, apiKey])
    const known = this.#open.get(cacheKey)
    if (known) return known
    const provider = this.#connect(model, apiKey)
    this.#open.set(cacheKey, provider)
    return provider
  }

  #connect(model: ChainModel, apiKey: string | undefined): Provider {
    switch (model.provider) {
      case 'offline':
        return offlineProvider(this.#options.offline_words_per_second)
      case 'openai': {
        const configured = this.#options.providers.openai
        // The operator's key goes only where the operator said; an address from an agent gets the agent's own key or none.
        const elsewhere = model.base_url !== undefined && model.base_url !== configured.base_url
        return openaiProvider({
          name: 'openai',
          api_key: apiKey ?? (elsewhere ? undefined : configured.api_key),
          base_url: model.base_url ?? configured.base_url,
          stall_ms: this.#options.stall_ms,
        })
      }
      default:
        throw new Error(`Cannot open provider '${model.provider}': it is not built in`)
    }
  }

  #auto(): ChainModel {
    const { openai } = this.#options.providers
    const provider = openai.api_key !== undefined || openai.base_url !== undefined ? 'openai' : 'offline'
    return { provider, model: provider === 'openai' ? DEFAULT_OPENAI_MODEL : 'offline', key_path: 'model.api_key' }
  }
}

function toChainModel(model: FallbackModel, keyPath: string): ChainModel {
  const { provider, model: name, base_url, temperature, top_p } = model
  return { provider, model: name, base_url, temperature, top_p, key_path: keyPath }
}

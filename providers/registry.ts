// From an agent's config to the models that answer for it: the chain in order, and a provider opened with the right credential.
import type { ModelRef } from '../contracts/turn.ts'
import { isElsewhere, type ProvidersSettings } from '../contracts/model-check.ts'
import type { AgentConfig, AgentSource, FallbackModel } from '../contracts/schemas/agent.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import { DEFAULT_MODELS, factsOf, type ModelFacts } from './catalog.ts'
import { offlineProvider } from './offline.ts'
import { openaiProvider, withoutEnvironment, type Fetch } from './openai.ts'
import type { Provider } from './provider.ts'

/** Providers kept open, 7 kB each: of keys that are no longer used, too. */
const MOST_OPEN = 200

export interface RegistryOptions {
  providers: ProvidersSettings
  /** What the operator says of models. */
  own_models: OwnModels
  offline_words_per_second: number
  /** Longest silence of a model before its call is given up, in milliseconds. */
  stall_ms: number
  /** Sends requests to addresses that were given over the API, and checks every connection. */
  guardedFetch: Fetch
}

/** A model of a chain with what its call needs besides the messages. */
export interface ChainModel extends ModelRef {
  temperature?: number | undefined
  top_p?: number | undefined
  base_url?: string | undefined
  /** Who named `base_url`. */
  source: AgentSource
  /** Where in the agent's secrets its key would be. */
  key_path: string
  /** What is known of the model. */
  known: ModelFacts
}

/** Names a model of a chain, with the host of its address. */
export function modelKey({ provider, model, base_url }: ChainModel): string {
  const host = base_url !== undefined && URL.canParse(base_url) ? ` at ${new URL(base_url).host}` : ''
  return `${provider}:${model}${host}`
}

export class ModelRegistry {
  readonly #options: RegistryOptions
  readonly #open = new Map<string, Provider>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** The models of an agent, in the order in which they are asked. Without any: the first provider with a key, else offline. */
  chainOf(config: Pick<AgentConfig, 'model'>, source: AgentSource): ChainModel[] {
    if (!config.model) return [this.#auto(source)]
    const { fallbacks = [], ...first } = config.model
    return [
      this.#toChainModel(first, source, 'model.api_key'),
      ...fallbacks.map((model, index) => this.#toChainModel(model, source, `model.fallbacks.${index}.api_key`)),
    ]
  }

  /** A provider for a model of the chain. @param apiKey the agent's own key, when it has one */
  open(model: ChainModel, apiKey: string | undefined): Provider {
    const cacheKey = JSON.stringify([model.provider, model.base_url, model.source, apiKey])
    const provider = this.#open.get(cacheKey) ?? this.#connect(model, apiKey)
    // The one used last is last.
    this.#open.delete(cacheKey)
    this.#open.set(cacheKey, provider)
    const [oldest] = this.#open.keys()
    if (this.#open.size > MOST_OPEN) this.#open.delete(oldest!)
    return provider
  }

  #connect(model: ChainModel, apiKey: string | undefined): Provider {
    switch (model.provider) {
      case 'offline':
        return offlineProvider(this.#options.offline_words_per_second)
      case 'openai': {
        const configured = this.#options.providers.openai
        const { stall_ms, guardedFetch } = this.#options
        const { base_url } = model
        if (!isElsewhere(model, configured, model.source))
          return openaiProvider({ name: 'openai', ...configured, api_key: apiKey ?? configured.api_key, stall_ms })
        // An address from an agent gets the agent's own key or none; one from the API is guarded as well.
        const fetch = withoutEnvironment(model.source === 'api' ? guardedFetch : globalThis.fetch, apiKey)
        return openaiProvider({ name: 'openai', api_key: apiKey, base_url, stall_ms, fetch })
      }
      default:
        throw new Error(`Cannot open provider '${model.provider}': it is not built in`)
    }
  }

  #auto(source: AgentSource): ChainModel {
    const { openai } = this.#options.providers
    const provider = openai.api_key !== undefined || openai.base_url !== undefined ? 'openai' : 'offline'
    const model = provider === 'openai' ? DEFAULT_MODELS.openai.chat : 'offline'
    return this.#toChainModel({ provider, model }, source, 'model.api_key')
  }

  #toChainModel(configured: FallbackModel, source: AgentSource, keyPath: string): ChainModel {
    const { provider, model, base_url, temperature, top_p } = configured
    const { providers, own_models } = this.#options
    const address = base_url ?? (provider === 'offline' ? undefined : providers[provider].base_url)
    const known = factsOf({ provider, model }, address, own_models)
    return { provider, model, base_url, temperature, top_p, source, key_path: keyPath, known }
  }
}

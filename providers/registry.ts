// From an agent's config to the models that answer for it: the chain in order, and a provider opened with the right credential.
import { createHash } from 'node:crypto'
import type { ModelRef } from '../contracts/turn.ts'
import { mapAll } from '../contracts/map-all.ts'
import { configuredOf, isElsewhere, type ModelFault, type ProvidersSettings } from '../contracts/model-check.ts'
import type {
  Ability,
  AgentConfig,
  AgentSource,
  FallbackModel,
  Provider as ModelProvider,
} from '../contracts/schemas/agent.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import { VENDOR_NAMES, vendorOf, type Vendor } from '../contracts/vendors.ts'
import { anthropicKeyHeaders, anthropicProvider } from './anthropic.ts'
import { AUTO_VENDORS, DEFAULT_MODELS, factsOf, type ModelFacts } from './catalog.ts'
import { geminiKeyHeaders, geminiProvider } from './gemini.ts'
import type { LocalModels } from './local-models.ts'
import { ModelHealth, type Watched } from './model-health.ts'
import { ProviderLimits } from './provider-limits.ts'
import { offlineProvider } from './offline.ts'
import { openaiKeyHeaders, openaiProvider } from './openai.ts'
import { withoutEnvironment, type Fetch } from './outgoing.ts'
import type { GenerateRequest, Provider } from './provider.ts'
import { RESPONSES_ONLY, responsesProvider } from './responses.ts'

/** By the protocol of a vendor. */
const ADAPTERS = {
  openai: { open: openaiProvider, keyHeaders: openaiKeyHeaders, load: () => import('openai') },
  responses: { open: responsesProvider, keyHeaders: openaiKeyHeaders, load: () => import('openai') },
  anthropic: { open: anthropicProvider, keyHeaders: anthropicKeyHeaders, load: () => import('@anthropic-ai/sdk') },
  gemini: { open: geminiProvider, keyHeaders: geminiKeyHeaders, load: () => import('@google/genai/web') },
}

function adapterOf({ provider, model, base_url, api }: ChainModel): keyof typeof ADAPTERS {
  if (provider === 'offline') return 'openai'
  const { speaks } = vendorOf(provider)
  if (speaks !== 'openai') return speaks
  const isOnlyThere = provider === 'openai' && base_url === undefined && RESPONSES_ONLY.test(model)
  return api === 'responses' || (api === undefined && isOnlyThere) ? 'responses' : 'openai'
}

/** Providers kept open, 7 kB each: of keys that are no longer used, too. */
const MOST_OPEN = 200

export interface RegistryOptions {
  providers: ProvidersSettings
  /** What the operator says of models. */
  own_models: OwnModels
  offline_words_per_second: number
  /** Longest silence of a model before its call is given up, in milliseconds. */
  stall_ms: number
  /** Of servers on this machine; none are looked for when left out. */
  local?: LocalModels
  /** Sends requests to addresses that were given over the API, and checks every connection. */
  guardedFetch: Fetch
}

/** A model of a chain with what its call needs besides the messages. */
export interface ChainModel
  extends ModelRef, Pick<GenerateRequest, 'temperature' | 'top_p' | 'reasoning' | 'max_output_tokens'> {
  max_cost_usd?: number | undefined
  max_first_token_ms?: number | undefined
  /** Of OpenAI's interfaces. */
  api?: 'chat' | 'responses' | undefined
  provider: ModelProvider
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

/** The model as the holder of a key asks it. @param apiKey the agent's own key, when it has one */
export function watchedOf(model: ChainModel, apiKey: string | undefined): Watched {
  const holder = apiKey === undefined ? '' : createHash('sha256').update(apiKey).digest('base64url')
  return { name: `${model.provider}:${model.model}`, server: modelKey(model), holder }
}

/** Of an agent: its models, and what they are needed for. */
type ModelsOf = Pick<AgentConfig, 'model'> & Partial<Pick<AgentConfig, 'mcp_servers'>>

const ABILITY_WORDS: Record<Ability, string> = {
  tools: 'calls tools',
  pictures: 'takes pictures',
  response_schema: 'follows a JSON Schema by its vendor',
}

/** Of a usual call; a model without a known price is asked last. */
function priceOf({ known }: ChainModel): number {
  return known.costOf({ input_tokens: 1_000, output_tokens: 500 }) ?? Infinity
}

/** What an agent requires that the model is known not to do. MCP servers are of no use without calls of tools. */
function missingOf({ model, mcp_servers = [] }: ModelsOf, known: ModelFacts): Ability[] {
  const required = new Set<Ability>([
    ...(model?.requires ?? []),
    ...(mcp_servers.length > 0 ? (['tools'] as const) : []),
  ])
  const able: Record<Ability, boolean> = {
    tools: known.tools,
    pictures: known.pictures !== undefined,
    response_schema: known.enforces_schema,
  }
  return [...required].filter((ability) => !able[ability])
}

export class ModelRegistry {
  readonly #options: RegistryOptions
  readonly #open = new Map<string, Provider>()
  readonly health = new ModelHealth()
  readonly limits = new ProviderLimits()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** Loads the clients of the providers that are configured: their first message does not wait for that. */
  async warm(): Promise<void> {
    const { providers } = this.#options
    const configured = VENDOR_NAMES.filter((name) => providers[name]?.api_key ?? providers[name]?.base_url)
    const protocols = new Set(configured.map((name) => vendorOf(name).speaks))
    await mapAll<Vendor['speaks'], unknown>(protocols, (speaks) => ADAPTERS[speaks].load())
  }

  /**
   * The models of an agent, in the order in which they are asked. Without any: the first provider with a key, else offline. Those
   * that cannot do what the agent requires are left out, unless none can.
   */
  chainOf(config: ModelsOf, source: AgentSource): ChainModel[] {
    const chain = this.#configured(config, source)
    const able = chain.filter(({ known }) => missingOf(config, known).length === 0)
    const kept = able.length > 0 ? able : chain
    return config.model?.strategy === 'cheapest' ? kept.toSorted((a, b) => priceOf(a) - priceOf(b)) : kept
  }

  /** The order in which the models of a chain are asked in a turn that starts now. */
  orderOf(chain: readonly ChainModel[], config: ModelsOf): ModelRef[] {
    const models = chain.map(({ provider, model }, place) => ({ provider, model, place }))
    const names = ({ provider, model }: ModelRef) => ({ provider, model })
    if (config.model?.strategy !== 'fastest') return models.map(names)
    // One that has not answered yet is tried first: else it would never be measured.
    const speedOf = ({ place }: { place: number }) => this.health.firstTokenOf(modelKey(chain[place]!)) ?? 0
    const order = models.toSorted((a, b) => speedOf(a) - speedOf(b))
    return order.map((model, index) => (model.place === index ? names(model) : model))
  }

  /** Why none of the models of an agent can do what it requires. */
  abilityFaults(config: ModelsOf, source: AgentSource): ModelFault[] {
    if (!config.model) return []
    const chain = this.#configured(config, source)
    if (chain.some(({ known }) => missingOf(config, known).length === 0)) return []
    const missing = missingOf(config, chain[0]!.known).map((ability) => ABILITY_WORDS[ability])
    const expected = `a model that ${missing.join(' and ')}, or have a fallback that does (MUXI_MODELS_FILE says what a model can do)`
    return [{ path: ['model', 'model'], expected }]
  }

  /** A provider for a model of the chain. @param apiKey the agent's own key, when it has one */
  open(model: ChainModel, apiKey: string | undefined): Provider {
    const cacheKey = JSON.stringify([model.provider, adapterOf(model), model.base_url, model.source, apiKey])
    const provider =
      this.#open.get(cacheKey) ??
      // Outside of the watch: what the limits hold back says nothing about the model's health.
      this.limits.guard(
        this.health.watch(this.#connect(model, apiKey, cacheKey), (name) =>
          watchedOf({ ...model, model: name }, apiKey),
        ),
        cacheKey,
      )
    // The one used last is last.
    this.#open.delete(cacheKey)
    this.#open.set(cacheKey, provider)
    const [oldest] = this.#open.keys()
    if (this.#open.size > MOST_OPEN) this.#open.delete(oldest!)
    return provider
  }

  #configured({ model }: ModelsOf, source: AgentSource): ChainModel[] {
    if (!model) return [this.#auto()]
    const { fallbacks = [], requires: _, strategy: __, ...first } = model
    return [
      this.#toChainModel(first, source, 'model.api_key'),
      ...fallbacks.map((each, index) => this.#toChainModel(each, source, `model.fallbacks.${index}.api_key`)),
    ]
  }

  #connect(model: ChainModel, apiKey: string | undefined, limitsKey: string): Provider {
    const observe = (name: string, status: number, headers: Headers) =>
      this.limits.observe(limitsKey, name, status, headers)
    const { provider: name, base_url } = model
    if (name === 'offline') return offlineProvider(this.#options.offline_words_per_second)
    const vendor = vendorOf(name)
    const { providers, stall_ms, guardedFetch } = this.#options
    const configured = configuredOf(providers, name)
    // The port of a local server is guarded as an address over the API is, unless the operator has configured it.
    const isGuarded = model.source === 'api' && vendor.isLocal === true && providers[name]?.base_url === undefined
    const { open, keyHeaders } = ADAPTERS[adapterOf(model)]
    if (!isGuarded && !isElsewhere(model, configured, model.source)) {
      const api_key = apiKey ?? configured.api_key
      // The client of OpenAI adds what the environment says for OpenAI: not for the vendors that it is used for as well.
      const isForeign = vendor.speaks === 'openai' && name !== 'openai'
      const own = isForeign ? { fetch: withoutEnvironment(globalThis.fetch, keyHeaders(api_key)) } : {}
      return open({ name, ...configured, api_key, stall_ms, observe, ...own })
    }
    // An address from an agent gets the agent's own key or none; one from the API is guarded as well.
    const fetch = withoutEnvironment(model.source === 'api' ? guardedFetch : globalThis.fetch, keyHeaders(apiKey))
    return open({ name, api_key: apiKey, base_url: base_url ?? configured.base_url, stall_ms, observe, fetch })
  }

  #auto(): ChainModel {
    const { providers } = this.#options
    const vendor = AUTO_VENDORS.find(
      (name) => providers[name]?.api_key !== undefined || providers[name]?.base_url !== undefined,
    )
    const chosen = vendor
      ? { provider: vendor, model: DEFAULT_MODELS[vendor].chat }
      : (this.#options.local?.current ?? { provider: 'offline' as const, model: 'offline' })
    // The address is the operator's or ours, not the agent's.
    return this.#toChainModel(chosen, 'file', 'model.api_key')
  }

  /** What the operator says of models. */
  get ownModels(): OwnModels {
    return this.#options.own_models
  }

  #toChainModel(configured: FallbackModel, source: AgentSource, keyPath: string): ChainModel {
    const { provider, model, base_url, api_key: _, ...asked } = configured
    const { providers, own_models } = this.#options
    const address = base_url ?? (provider === 'offline' ? undefined : configuredOf(providers, provider).base_url)
    const known = factsOf({ provider, model }, address, own_models)
    return { provider, model, base_url, ...asked, source, key_path: keyPath, known }
  }
}

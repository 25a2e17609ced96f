// Whether the models an agent names can be called at all: their provider is built in, and there is a key or a server that needs none.
import { isLocalHost } from './hosts.ts'
import type { AgentSource, FallbackModel, ModelConfig } from './schemas/agent.ts'
import { vendorOf, type VendorName } from './vendors.ts'

/** What is configured of a provider: its key and the address to use in place of the vendor's own. */
export interface ProviderSettings {
  readonly api_key?: string
  readonly base_url?: string
}

export type ProvidersSettings = { readonly openai: ProviderSettings } & {
  readonly [P in VendorName]?: ProviderSettings
}

/** The settings of a vendor, with its own address where none is configured. */
export function configuredOf(providers: ProvidersSettings, vendor: VendorName): ProviderSettings {
  const { base_url } = vendorOf(vendor)
  return { ...(base_url !== undefined && { base_url }), ...withoutUndefined(providers[vendor]) }
}

function withoutUndefined({ api_key, base_url }: ProviderSettings = {}): ProviderSettings {
  return { ...(api_key !== undefined && { api_key }), ...(base_url !== undefined && { base_url }) }
}

export interface ModelFault {
  /** Below the agent: `['model', 'fallbacks', 0, 'provider']`. */
  path: (string | number)[]
  /** Completes "'<path>' must be …". */
  expected: string
}

/**
 * Whether the model names an address that the operator's key must not be sent to: in a file any but the configured one, over the
 * API any at all.
 */
export function isElsewhere(
  { base_url }: Pick<FallbackModel, 'base_url'>,
  configured: ProviderSettings,
  source: AgentSource,
): boolean {
  if (base_url === undefined) return false
  return source === 'api' || bareUrl(base_url) !== bareUrl(configured.base_url ?? '')
}

function bareUrl(url: string): string {
  return url.replace(/\/+$/, '')
}

/** The faults of a model and its fallbacks. A model left out is `auto`, which always finds one. */
export function modelFaults(
  model: ModelConfig | undefined,
  providers: ProvidersSettings,
  source: AgentSource,
): ModelFault[] {
  if (model === undefined) return []
  const fallbacks = (model.fallbacks ?? []).flatMap((each, index) =>
    faultsOf(each, ['model', 'fallbacks', index], providers, source),
  )
  return [...faultsOf(model, ['model'], providers, source), ...fallbacks]
}

function faultsOf(
  model: FallbackModel,
  path: (string | number)[],
  providers: ProvidersSettings,
  source: AgentSource,
): ModelFault[] {
  if (model.provider === 'offline') return []
  const configured = configuredOf(providers, model.provider)
  const url = model.base_url ?? configured.base_url
  // The schema looks at the form only: 'http://host:99999' has it.
  if (url !== undefined && !URL.canParse(url))
    return [{ path: [...path, 'base_url'], expected: 'an address with a host and a port that can exist' }]
  if (model.api_key !== undefined) return []
  if (url !== undefined && isLocalHost(new URL(url).hostname)) return []
  // A configured key goes to the configured address only; another server must be given its own.
  const elsewhere = isElsewhere(model, configured, source)
  if (!elsewhere && configured.api_key !== undefined) return []
  const how = elsewhere
    ? `given, because ${new URL(model.base_url ?? '').host} is no local server`
    : `given, or ${vendorOf(model.provider).prefix}_API_KEY be set, because the model names ${model.provider}`
  return [{ path: [...path, 'api_key'], expected: how }]
}

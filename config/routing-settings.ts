// How the orchestrator chooses agents: MUXI_ROUTING_MODEL, MUXI_DEFAULT_AGENT, MUXI_ROUTING_THRESHOLD_PERCENT.
import type { Provider } from '../contracts/schemas/agent.ts'
import type { SettingReader } from './setting-reader.ts'

export interface RoutingSettings {
  /** Default: the first model of the default agent. */
  readonly model?: { provider: Provider; model: string }
  /** Default: the first by id. */
  readonly default_agent?: string
  /** Least confidence with which a choice counts, from 0 to 1. */
  readonly threshold: number
}

export function readRouting(read: SettingReader): RoutingSettings {
  const chosen = read.matching(
    'MUXI_ROUTING_MODEL',
    (choice) => /^[a-z]+:\S+$/.test(choice),
    'a provider and a model, such as openai:gpt-4.1-mini',
  )
  const default_agent = read.matching(
    'MUXI_DEFAULT_AGENT',
    (id) => /^[a-z0-9][a-z0-9_-]{0,63}$/.test(id),
    'the id of an agent',
  )
  const percent = read.integer('MUXI_ROUTING_THRESHOLD_PERCENT', { min: 0, max: 100 }, 50)
  const [provider, ...model] = chosen?.split(':') ?? []
  return {
    ...(chosen !== undefined && { model: { provider: provider as Provider, model: model.join(':') } }),
    ...(default_agent !== undefined && { default_agent }),
    threshold: percent / 100,
  }
}

// Language models on this machine, found on the usual ports of Ollama and LM Studio.
import { isObject } from '../contracts/json.ts'
import { mapAll } from '../contracts/map-all.ts'
import { configuredOf, type ProvidersSettings } from '../contracts/model-check.ts'

const LOCAL = ['ollama', 'lmstudio'] as const
/** A server on the loopback interface answers at once; in milliseconds. */
const PATIENCE_MS = 500
/** How long what was found, or not, is believed, in milliseconds. */
const BELIEVED_MS = 60_000
/** They list those too, and cannot talk. */
const OTHER_KINDS = /embed|bge|minilm|rerank|whisper/i

export interface LocalModel {
  provider: (typeof LOCAL)[number]
  model: string
}

export class LocalModels {
  readonly #providers: ProvidersSettings
  #found: LocalModel | undefined
  #at = -Infinity

  constructor(providers: ProvidersSettings) {
    this.#providers = providers
  }

  /** What was found last; looked for again in the background when that is a while ago. */
  get current(): LocalModel | undefined {
    if (performance.now() - this.#at > BELIEVED_MS) void this.look()
    return this.#found
  }

  /** Asks the servers for their models; the first one that has any is the one. */
  async look(): Promise<LocalModel | undefined> {
    this.#at = performance.now()
    const found = await mapAll(LOCAL, async (provider) => {
      const model = await firstModelOf(configuredOf(this.#providers, provider).base_url!)
      return model === undefined ? undefined : { provider, model }
    })
    this.#found = found.find((each) => each !== undefined)
    return this.#found
  }
}

async function firstModelOf(address: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const response = await fetch(`${address.replace(/\/+$/, '')}/models`, { signal, redirect: 'error' })
    const list: unknown = JSON.parse((await response.text()).slice(0, 262_144))
    const models = isObject(list) && Array.isArray(list['data']) ? (list['data'] as unknown[]) : []
    return models
      .map((model) => (isObject(model) ? model['id'] : undefined))
      .filter((id) => typeof id === 'string')
      .find((id) => !OTHER_KINDS.test(id))
  } catch {
    return undefined
  }
}

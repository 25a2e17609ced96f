// Chooses the embedder: a provider's model, a model in a folder of this machine, or the one that needs none.
import { configuredOf, type ProviderSettings, type ProvidersSettings } from '../contracts/model-check.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import { VENDOR_NAMES, vendorOf, type VendorName } from '../contracts/vendors.ts'
import { DEFAULT_MODELS, EMBEDDING_MODELS } from './catalog.ts'
import { billedModel } from './billed-model.ts'
import type { Embedder } from './embedder.ts'
import { openOnnxEmbedder } from './onnx-embedder.ts'
import { geminiEmbedder } from './gemini-embedder.ts'
import { hashingEmbedder } from './hashing-embedder.ts'
import { openaiEmbedder } from './openai-embedder.ts'

/** `local-model:`, and the place of the model. */
const IN_A_FOLDER = /^local-model:(.+)$/

/** Like `createEmbedder`, and `local-model:<folder or package>`, which is loaded. @throws Error that says what is wrong */
export async function openEmbedder(
  providers: ProvidersSettings,
  choice?: string,
  own: OwnModels = {},
): Promise<Embedder> {
  const [, place] = IN_A_FOLDER.exec(choice ?? '') ?? []
  return place === undefined ? createEmbedder(providers, choice, own) : openOnnxEmbedder(place)
}

/**
 * @param choice `local`, `<provider>:<model>` or `<provider>:<model>@<dimension>`. Without it OpenAI when its key is set and no
 * other server is (which may well serve chat only), else local.
 * @param own what the operator says of prices
 * @throws Error when the choice cannot be understood
 */
export function createEmbedder(providers: ProvidersSettings, choice?: string, own: OwnModels = {}): Embedder {
  const { openai } = providers
  const usesOpenai = openai.api_key !== undefined && openai.base_url === undefined
  const chosen = choice ?? (usesOpenai ? `openai:${DEFAULT_MODELS.openai.embedding}` : 'local')
  if (chosen === 'local') return hashingEmbedder()
  const [, vendor, model, stated] = /^([a-z]+):([^@\s]+?)(?:@(\d{1,5}))?$/.exec(chosen) ?? []
  const name = VENDOR_NAMES.find((each) => each === vendor && vendorOf(each).speaks !== 'anthropic')
  if (model === undefined || name === undefined)
    throw new Error(
      `Cannot choose embeddings: 'MUXI_EMBEDDING_MODEL' must be 'local', 'local-model:<folder or package>' or '<provider>:<model>', with a provider that has embeddings, got '${chosen}'`,
    )
  const known = EMBEDDING_MODELS[model]
  const dimension = stated === undefined ? known?.dimension : Number(stated)
  if (!dimension)
    throw new Error(
      `Cannot choose embeddings: 'MUXI_EMBEDDING_MODEL' must say the dimension of a model that is not known, as in '${name}:${model}@768'`,
    )
  return open(name, model, dimension, providers, own)
}

/**
 * The embedder of a model, by the name that is recorded with vectors.
 * @returns undefined when it cannot be asked here: its vendor needs a key and has none, or it is not known
 */
export function findEmbedder(providers: ProvidersSettings, model: string, own: OwnModels = {}): Embedder | undefined {
  const local = hashingEmbedder()
  if (model === local.model) return local
  const name = VENDOR_NAMES.find((each) => model.startsWith(`${each}:`))
  if (name === undefined || (!vendorOf(name).isLocal && !isConfigured(providers[name]))) return undefined
  try {
    const found = createEmbedder(providers, model, own)
    return found.model === model ? found : undefined
  } catch {
    return undefined
  }
}

function isConfigured({ api_key, base_url }: ProviderSettings = {}): boolean {
  return api_key !== undefined || base_url !== undefined
}

function open(
  name: VendorName,
  model: string,
  dimension: number,
  providers: ProvidersSettings,
  own: OwnModels,
): Embedder {
  const { api_key, base_url } = configuredOf(providers, name)
  const billed = billedModel({ provider: name, model }, base_url, own)
  if (vendorOf(name).speaks === 'gemini') return geminiEmbedder({ model, dimension, api_key, base_url, billed })
  const shorten = EMBEDDING_MODELS[model]?.shortens ?? false
  return openaiEmbedder({ name, model, dimension, shorten, api_key, base_url, billed })
}

// Chooses the embedder: a provider's model or the local one.
import type { ProvidersSettings } from '../contracts/model-check.ts'
import { DEFAULT_MODELS, EMBEDDING_MODELS } from './catalog.ts'
import type { Embedder } from './embedder.ts'
import { hashingEmbedder } from './hashing-embedder.ts'
import { openaiEmbedder } from './openai-embedder.ts'

/**
 * @param choice `local`, `openai:<model>` or `openai:<model>@<dimension>`. Without it OpenAI when its key is set and no
 * other server is (which may well serve chat only), else local.
 * @throws Error when the choice cannot be understood
 */
export function createEmbedder(providers: Pick<ProvidersSettings, 'openai'>, choice?: string): Embedder {
  const { api_key, base_url } = providers.openai
  const chosen =
    choice ?? (api_key !== undefined && base_url === undefined ? `openai:${DEFAULT_MODELS.openai.embedding}` : 'local')
  if (chosen === 'local') return hashingEmbedder()
  const [, model, stated] = /^openai:([^@\s]+?)(?:@(\d{1,5}))?$/.exec(chosen) ?? []
  if (model === undefined)
    throw new Error(
      `Cannot choose embeddings: 'MUXI_EMBEDDING_MODEL' must be 'local' or 'openai:<model>', got '${chosen}'`,
    )
  const known = EMBEDDING_MODELS[model]
  const dimension = stated === undefined ? known?.dimension : Number(stated)
  if (!dimension)
    throw new Error(
      `Cannot choose embeddings: 'MUXI_EMBEDDING_MODEL' must say the dimension of a model that is not known, as in 'openai:${model}@768'`,
    )
  return openaiEmbedder({ model, dimension, shorten: known?.shortens ?? false, api_key, base_url })
}
